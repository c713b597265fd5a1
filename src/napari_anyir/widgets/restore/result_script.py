"""*Copy as script*: Python that makes a result again, bit for bit on the processor; no Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_anyir.widgets.restore.restore_job import Restored, RestoreJob


@dataclass(frozen=True)
class Origin:
    """Where a layer's pixels came from.

    Parameters
    ----------
    name : str
        Name of the layer.
    sample : str, optional
        Key of a sample of this package.
    path : str, optional
        File that napari's own reader or ours opened.
    multiscale : bool
        Whether the layer's data is a list of levels.
    """

    name: str
    sample: str | None = None
    path: str | None = None
    multiscale: bool = False


def origin(layer: Image) -> Origin:
    """Find out where a layer's pixels came from.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.

    Returns
    -------
    Origin
        Without a sample or a path if the pixels are no longer, or never were, those of a file.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> origin(Image(np.zeros((8, 8)), name="coins"))
    Origin(name='coins', sample=None, path=None, multiscale=False)
    """
    source = layer.source
    sample = source.sample[1] if source.sample and source.sample[0] == "napari-anyir" else None
    return Origin(layer.name, sample, source.path, bool(layer.multiscale))


def script(
    where: Origin, job: RestoreJob, done: Restored | Sequence[Restored], strength: float = 1.0
) -> str:
    """Write Python that makes results again.

    Parameters
    ----------
    where : Origin
        Of the source.
    job : RestoreJob
        What was done.
    done : Restored or sequence of Restored
        What came out; of several models, one each.
    strength : float
        As the slider stands.

    Returns
    -------
    str
        A script; it leaves the pixels in ``restored``, of several models by their names.
    """
    results = list(done) if isinstance(done, Sequence) else [done]
    first = results[0]
    part = job.region.displayed is not None
    checked = first.checksum is not None
    lines = [f'"""Restore {where.name!r} as napari-anyir {first.record["version"]} did."""', ""]
    lines += ["import zlib", ""] if checked else []
    lines += ["import numpy as np"] if part or checked else []
    lines += ["import torch", "", "import napari_anyir"]
    lines += ["from napari_anyir.widgets.layers.blending import blend"] if strength < 1 else []
    lines += ["", *_threads([result.record for result in results]), *reading(where)]
    if part:
        lines.append(f"image = np.asarray(image[{_index(job.region.slices)}])")
    lines += _check(first)
    if len(results) > 1:
        lines.append("restored = {}")
    for result in results:
        name = f"restored[{result.arguments['model']!r}]" if len(results) > 1 else "restored"
        lines += [f"{name} = napari_anyir.restore(", "    image,"]
        lines += [f"    {key}={value!r}," for key, value in result.arguments.items()]
        lines.append(")")
        if strength < 1:
            lines.append(f"{name} = blend(image, {name}, {strength!r})")
    return "\n".join([*lines, ""])


def _threads(records: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        *(
            f"# Model {record['model']}{_because(record)}, SHA-256 {record['sha256']}, torch "
            f"{record['torch']}."
            for record in records
        ),
        "# The last bits of sums depend on the number of threads.",
        f"torch.set_num_threads({records[0]['threads']})",
        "",
    ]


def _because(record: Mapping[str, Any]) -> str:
    return f" (chosen because {record['chosen']})" if record.get("chosen") else ""


def reading(where: Origin) -> list[str]:
    """Write lines that read a layer's pixels again, into ``image``.

    Parameters
    ----------
    where : Origin
        Of the layer.

    Returns
    -------
    list of str
        Lines of Python; of a layer without a file they need napari's console.

    Examples
    --------
    >>> reading(Origin("coins"))[-1]
    "image = viewer.layers['coins'].data"
    """
    if where.sample is not None:
        return [
            "from napari_anyir.samples import SAMPLES",
            "",
            f"image, clean = SAMPLES[{where.sample!r}].read()",
            *(["image = clean"] if where.name.endswith("(clean)") else []),
        ]
    if where.path is not None and _readable(where.path):
        return [
            "from napari_anyir.files import read_image",
            "",
            f"image = read_image({str(Path(where.path).resolve())!r}).array",
        ]
    level = "[0]" if where.multiscale else ""
    return [
        "# The layer came from no file: run this in napari's console, where `viewer` is.",
        f"image = viewer.layers[{where.name!r}].data{level}",
    ]


def _check(restored: Restored) -> list[str]:
    """Stop the script if it reads other pixels than those that were restored.

    A layer may have been changed since it was opened; its script must not quietly give others.
    """
    if restored.checksum is None:  # lazy: nobody has seen all its pixels
        return []
    return [
        f"if zlib.crc32(np.ascontiguousarray(image)) != {restored.checksum}:",
        '    raise SystemExit("These are not the restored pixels: the layer was changed.")',
    ]


def _readable(path: str) -> bool:
    from napari_anyir.files import is_image_name

    return bool(is_image_name(Path(path)))


def _index(slices: tuple[slice, ...]) -> str:
    return ", ".join(f"{part.start}:{part.stop}" for part in slices)
