"""Feature maps and gate numbers as files: TIFF, Zarr and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_anyir.atomic_writing import atomic_write
from napari_anyir.inference import FeatureMap, GateNumbers

__all__ = ["describe", "write_gates", "write_tiffs", "write_zarr"]


def describe(found: FeatureMap) -> dict[str, Any]:
    """Say where a map comes from and where it lies, as plain values.

    Parameters
    ----------
    found : FeatureMap
        The map.

    Returns
    -------
    dict
        Block, part, scale and offset in image pixels, channels, reduction, tau_adj, lambda, and the
        model with the reason where the kind of the image chose it.

    Examples
    --------
    >>> import numpy as np
    >>> none = np.zeros(0, np.float32)
    >>> found = FeatureMap("latent.0", "fused", np.zeros((4, 2, 2)), 8, 4, None, none, 0.5)
    >>> describe(found)["offset"]
    3.5
    """
    return {
        "block": found.block,
        "part": found.part,
        "scale": found.scale,
        "offset": found.offset,
        "channels": found.channels,
        "reduce": found.reduce,
        "tau_adj": [round(float(value), 7) for value in found.tau_adj],
        "lambda": found.lam,
        "model": found.model,
        "chosen": found.chosen,
    }


def write_tiffs(folder: Path, maps: Iterable[FeatureMap]) -> list[Path]:
    """Write each map as a float32 TIFF (C, Y, X), its description as JSON in the first page.

    Parameters
    ----------
    folder : Path
        Where; made if need be.
    maps : iterable of FeatureMap
        The maps.

    Returns
    -------
    list of Path
        Files named ``block-part.tif``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import napari_anyir
    >>> grey = np.zeros((16, 16), np.uint8)
    >>> maps = napari_anyir.feature_maps(grey, "latent.0", "output", model="nano")
    >>> [path.name for path in write_tiffs(Path(tempfile.mkdtemp()), maps.values())]
    ['latent.0-output.tif']
    """
    import tifffile

    paths = []
    for found in maps:
        path = folder / f"{found.block}-{found.part}.tif"
        with atomic_write(path) as part:
            tifffile.imwrite(
                part,
                found.array,
                photometric="minisblack",
                compression="zlib",
                metadata={"axes": "CYX", **describe(found)},
            )
        paths.append(path)
    return paths


def write_zarr(path: Path, maps: Iterable[FeatureMap], attributes: Mapping[str, Any]) -> Path:
    """Write maps as one Zarr group of the arrays ``block/part``, each with its description.

    Parameters
    ----------
    path : Path
        The group's folder.
    maps : iterable of FeatureMap
        The maps.
    attributes : mapping
        Of the group: what all maps share.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        If zarr is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import napari_anyir
    >>> maps = napari_anyir.feature_maps(np.zeros((16, 16), np.uint8), "latent.0", model="nano")
    >>> path = write_zarr(Path(tempfile.mkdtemp()) / "maps.zarr", maps.values(), {})
    >>> (path / "latent.0").is_dir()
    True
    """
    try:
        import zarr
    except ImportError as error:
        raise ValueError(
            "Zarr files need zarr, which is not installed; install it with: pip install "
            "'napari-anyir[ome]', or write --format tif."
        ) from error
    with atomic_write(path) as part:
        group = zarr.open_group(part, mode="w")
        group.attrs.update(json.loads(json.dumps(dict(attributes))))
        for found in maps:
            shape = found.array.shape
            array = group.create_array(
                f"{found.block}/{found.part}",
                shape=shape,
                dtype="float32",
                # One channel per chunk: a viewer shows them one by one.
                chunks=(1, *shape[1:]),
            )
            array[...] = found.array
            array.attrs.update(describe(found))
    return path


def write_gates(path: Path, numbers: Iterable[GateNumbers]) -> Path:
    """Write tau_adj and lambda of each block as a table.

    Parameters
    ----------
    path : Path
        The .csv file.
    numbers : iterable of GateNumbers
        The numbers.

    Returns
    -------
    Path
        The file; one row per channel of alpha.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from napari_anyir.inference import gate_numbers
    >>> numbers = gate_numbers(np.zeros((16, 16), np.uint8), "latent.0", model="nano")
    >>> write_gates(Path(tempfile.mkdtemp()) / "gates.csv", numbers).read_text().splitlines()[0]
    'block,scale,lambda,channel,tau_adj'
    """
    with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("block", "scale", "lambda", "channel", "tau_adj"))
        for number in numbers:
            lam = "" if number.lam is None else number.lam
            values = number.tau_adj.tolist() or [""]
            for channel, value in enumerate(values):
                writer.writerow((number.block, number.scale, lam, channel, value))
    return path
