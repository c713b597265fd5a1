"""Measure a model on the test sets of a protocol; a run that was killed goes on where it was.

``anyir evaluate`` is the command line of this; `napari_anyir.training.evaluation.mean_table`
prints it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from napari_anyir.inference import restore
from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.models import get_model
from napari_anyir.training.evaluation.classical import Restorer, classical
from napari_anyir.training.evaluation.evaluated_runs import (
    FILE,
    TRAINING_FACTS,
    Count,
    Run,
    Switches,
    default_switches,
)
from napari_anyir.training.evaluation.examples import Example, NoiseStream, read_examples
from napari_anyir.training.evaluation.metrics import Image, as_measured, psnr, ssim
from napari_anyir.training.evaluation.score_files import FILE as SCORES
from napari_anyir.training.evaluation.score_files import INPUT, OUTPUT, ImageScore
from napari_anyir.training.paper.protocols import find_protocol
from napari_anyir.training.sets.found_sets import FoundSet, find_sets
from napari_anyir.training.writing import replace_file
from napari_anyir.weights import find_model

STRIPS = 3
"""Images of each set of which degraded, restored and clean are kept side by side."""

Progress = Callable[[int, int, str], None]
"""Called with images done, images in all, and what comes next."""


@dataclass(frozen=True)
class Options:
    """What to measure, of all that a protocol tests.

    Parameters
    ----------
    only : str
        Part of the name of a set; sets without it are left out.
    limit : int or None
        At most so many images of each set, the first by name.
    images : bool
        Keep restored images, and strips of the first of each set.
    classical : bool
        Measure scikit-image's denoisers as well.
    overwrite : bool
        Forget what was measured before.
    device : str
        Where the network runs.
    switches : Switches, optional
        How to measure; by default as the protocol.
    name : str, optional
        What results call the model; by default as its card or file.

    Raises
    ------
    ValueError
        If nothing would be measured.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.evaluate import Options
    >>> Options(limit=0)
    Traceback (most recent call last):
    ...
    ValueError: limit must be at least 1 image of each set, not 0.
    """

    only: str = ""
    limit: int | None = None
    images: bool = False
    classical: bool = False
    overwrite: bool = False
    device: str = "auto"
    switches: Switches | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Refuse a limit of nothing."""
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be at least 1 image of each set, not {self.limit}.")


def evaluate(
    protocol_name: str,
    root: Path,
    model: str,
    out: Path,
    options: Options | None = None,
    progress: Progress | None = None,
) -> tuple[Run, dict[str, str]]:
    """Measure a model on a protocol.

    Parameters
    ----------
    protocol_name : str
        A key of `napari_anyir.training.paper.protocols.PROTOCOLS`.
    root : Path
        Folder that the test sets lie in.
    model : str
        Name of a model or path of a checkpoint.
    out : Path
        Folder of all results; this run's is ``out/PROTOCOL/MODEL``, with the switches that are
        not the default in its name.
    options : Options, optional
        What to measure and how; by default everything as the protocol, and nothing twice.
    progress : callable, optional
        Called before each image and at the end.

    Returns
    -------
    run : Run
        What was measured, now and before.
    missing : dict of str to str
        Sets that are not there, and why.

    Raises
    ------
    FileNotFoundError
        If no set is there, or an image has no partner.
    ModelError
        If the model is unknown or its checkpoint does not fit the network.
    ValueError
        If a switch is unknown, or the folder holds results of other weights.
    """
    protocol = find_protocol(protocol_name)
    options = options or Options()
    switches = options.switches or default_switches(protocol.name)
    device = resolve_device(options.device)
    loaded = get_model(model)
    found, missing = find_sets(root, protocol, options.only)
    if not any(one.wanted for one in found):
        reasons = list(missing.values())
        raise FileNotFoundError(
            reasons[0]
            if len(reasons) == 1
            else f"None of {', '.join(missing)} is below '{root}'; 'anyir data check {root}' says "
            "how to lay them out."
        )
    name = options.name or loaded.name
    run = Run(
        folder=out / protocol.name / f"{name}{switches.suffix(protocol.name)}",
        protocol=protocol.name,
        model=name,
        sha256=loaded.sha256,
        config=loaded.network.config.to_dict(),
        switches=switches,
        counts={one.test.name: Count(len(one.pairs), one.expected) for one in found},
        device=str(device),
        training={k: v for k, v in find_model(model).training.items() if k in TRAINING_FACTS},
    )
    run = _joined(run, overwrite=options.overwrite)
    run.write()

    def output(image: Image) -> NDArray[np.float32]:
        restored: NDArray[np.float32] = restore(
            image,
            axes="YXS",
            model=loaded.network,
            device=str(device),
            precision=switches.precision,
            tile=switches.tile,
            intensity="dtype",
        )
        return restored

    restorers: dict[str, Restorer] = {OUTPUT: output}
    if options.classical:
        restorers |= classical()
    measure_sets(run, found, restorers, options, progress)
    run.write()
    return run, missing


def _joined(run: Run, *, overwrite: bool) -> Run:
    """Go on with a run that is there; its weights must be the same."""
    if not (run.folder / FILE).is_file():
        return run
    if overwrite:
        (run.folder / SCORES).unlink(missing_ok=True)
        return run
    before = Run.read(run.folder)
    if before.sha256 != run.sha256:
        raise ValueError(
            f"'{run.folder}' holds results of other weights called '{run.model}'; give these "
            "another --name, or --overwrite the results."
        )
    counts = {**before.counts, **run.counts}
    return Run(**{**vars(run), "counts": counts})


def measure_sets(
    run: Run,
    found: Sequence[FoundSet],
    restorers: Mapping[str, Restorer],
    options: Options,
    progress: Progress | None = None,
) -> None:
    """Measure restorers on sets and append the scores to the run's file, image by image.

    Parameters
    ----------
    run : Run
        Whose switches and folder are used.
    found : sequence of FoundSet
        All sets of the protocol that are there.
    restorers : mapping of str to callable
        Each maps (H, W, 3) float32 in [0, 1] to the same; the first one's images are kept.
    options : Options
        What to measure.
    progress : callable, optional
        Called before each image and at the end.
    """
    switches = run.switches
    stream = NoiseStream(switches.noise_seed, switches.noise_storage)
    scores = run.scores()
    methods = (INPUT, *restorers)
    todo: dict[str, list[str]] = {}
    for one in found:
        wanted = [pair.name for pair in one.pairs[: options.limit]] if one.wanted else []
        done = scores.done(one.test.name, methods)
        todo[one.test.name] = [
            name
            for name in wanted
            if name not in done
            or (options.images and not picture_path(run, one.test.name, name).is_file())
        ]
    total, count = sum(map(len, todo.values())), 0
    last_noise = [i for i, one in enumerate(found) if one.test.sigma and todo[one.test.name]]
    for index, one in enumerate(found):
        set_name = one.test.name
        # After the last noisy image that is wanted, the stream may end.
        if not todo[set_name] and (not one.test.sigma or index > max(last_noise, default=-1)):
            continue
        first = {pair.name for pair in one.pairs[:STRIPS]}
        for example in read_examples(
            one.pairs, one.test.sigma, stream, crop=switches.crop, wanted=todo[set_name]
        ):
            if progress:
                progress(count, total, f"{set_name}: {example.name}")
            rows = []
            for method, image, seconds in _results(example, restorers, switches):
                rows.append(_score(set_name, example, method, image, seconds, switches))
                if options.images and method == next(iter(restorers)):
                    keep_images(run, set_name, example, image, strip=example.name in first)
            scores.add(rows)
            count += 1
    if progress:
        progress(total, total, "")


def _results(
    example: Example, restorers: Mapping[str, Restorer], switches: Switches
) -> Iterator[tuple[str, Image, float]]:
    yield INPUT, example.degraded, 0.0
    for method, restorer in restorers.items():
        started = time.perf_counter()
        output = restorer(example.degraded)
        seconds = time.perf_counter() - started
        yield method, as_measured(output, switches.rounding), seconds


def _score(
    set_name: str,
    example: Example,
    method: str,
    image: Image,
    seconds: float,
    switches: Switches,
) -> ImageScore:
    return ImageScore(
        set_name,
        example.name,
        method,
        round(psnr(image, example.clean), 6),
        round(ssim(image, example.clean, switches.ssim), 6),
        image.shape[0],
        image.shape[1],
        round(seconds, 4),
    )


def picture_path(run: Run, set_name: str, name: str, kind: str = "images") -> Path:
    """Where a restored image, or a strip, is kept.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.evaluation.evaluate import picture_path
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run
    >>> run = Run(Path("results"), "dev", "nano", "", {})
    >>> picture_path(run, "CBSD68 sigma 25", "3096").as_posix()
    'results/images/CBSD68_sigma_25/3096.png'
    """
    return run.folder / kind / set_name.replace(" ", "_") / f"{name.replace('/', '_')}.png"


def keep_images(run: Run, set_name: str, example: Example, restored: Image, *, strip: bool) -> None:
    """Write a restored image, and degraded, restored and clean side by side if asked.

    Parameters
    ----------
    run : Run
        Into whose folder.
    set_name : str
        Test set.
    example : Example
        The image.
    restored : numpy.ndarray
        (H, W, 3), float32 in [0, 1].
    strip : bool
        Whether to write the strip.
    """
    _save(picture_path(run, set_name, example.name), restored)
    if strip:
        gap = np.ones((restored.shape[0], 8, 3), np.float32)
        beside = (example.degraded, gap, restored, gap, example.clean)
        _save(picture_path(run, set_name, example.name, "strips"), np.concatenate(beside, axis=1))


def _save(path: Path, image: Image) -> None:
    picture = Pillow.fromarray(np.rint(image * 255).astype(np.uint8))
    replace_file(path, lambda temporary: picture.save(temporary, "PNG"))
