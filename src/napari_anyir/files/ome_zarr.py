"""Read and write OME-Zarr (NGFF 0.4 and 0.5), chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_anyir.errors import ImageFileError
from napari_anyir.files.blocks import is_lazy, store
from napari_anyir.files.door import Guarded
from napari_anyir.files.image_file import ImageFile, full_unit

__all__ = ["read_ome_zarr", "write_ome_zarr"]

_CHUNK = 1024
_BLOCK = 2048  # side of the blocks that are restored at a time, when a plane is larger
_SMALLEST = 256  # a pyramid ends when both sides are at most this
# NGFF 0.4 asks for nested folders, one per axis.
_SLASHES = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
_TYPES = {"Z": "space", "Y": "space", "X": "space", "C": "channel", "T": "time"}


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ImageFileError(
            "OME-Zarr needs one more package; pip install 'napari-anyir[ome]'"
        ) from error
    if int(zarr.__version__.split(".")[0]) < 3:
        raise ImageFileError(
            f"OME-Zarr needs zarr 3, not {zarr.__version__}; pip install 'napari-anyir[ome]'"
        )
    return zarr


def read_ome_zarr(path: Path, *, lazy_above: int) -> ImageFile:
    """Read the full size of an OME-Zarr, or a plain Zarr array.

    Parameters
    ----------
    path : Path
        The folder.
    lazy_above : int
        Bytes of pixels above which they stay in the file.

    Returns
    -------
    ImageFile
        With scale, units and channel descriptions.

    Raises
    ------
    ImageFileError
        If zarr is not installed, or the folder holds no image, a plate, or several images.
    """
    zarr = _zarr()
    if not path.is_dir():
        raise ImageFileError("it is no folder, as every Zarr is")
    try:
        node = zarr.open(path, mode="r")
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ImageFileError(f"its content is not that of a Zarr ({error})") from error
    if isinstance(node, zarr.Array):
        return ImageFile(
            _pixels(node, path, lazy_above), None, "zarr", path, metadata={"plain": True}
        )
    group, attributes = _image_group(node)
    described = attributes["multiscales"][0]
    level = described["datasets"][0]
    try:
        array = group[level["path"]]
    except KeyError as error:
        raise ImageFileError(f"its level '{level['path']}' is missing") from error
    names = [_name_of(axis) for axis in described.get("axes", "tczyx"[-array.ndim :])]
    axes = "".join(name.upper() for name in names)
    if set(axes) - set("TZCYX") or len(axes) != array.ndim:
        raise ImageFileError(f"its axes {names} are not among t, z, c, y, x")
    scale, translation = _transforms(described, level, axes)
    units = {
        letter: full_unit(axis["unit"])
        for letter, axis in zip(axes, described.get("axes", ()), strict=False)
        if isinstance(axis, Mapping) and axis.get("unit")
    }
    metadata = {
        "version": "0.5" if array.metadata.zarr_format == 3 else "0.4",
        "name": described.get("name", ""),
        "translation": translation,
        "omero": attributes.get("omero"),
    }
    return ImageFile(_pixels(array, path, lazy_above), axes, "zarr", path, scale, units, metadata)


def _image_group(node: Any) -> tuple[Any, Mapping[str, Any]]:
    """Group that holds the image, and its attributes."""
    attributes = node.attrs.asdict()
    attributes = attributes.get("ome", attributes)
    if "multiscales" in attributes:
        return node, attributes
    if "plate" in attributes or "well" in attributes:
        raise ImageFileError("it is a plate or a well; name one of the images in it")
    if "bioformats2raw.layout" in attributes:
        series = sorted(name for name in node.group_keys() if name.isdigit())
        if len(series) == 1:
            return _image_group(node[series[0]])
        raise ImageFileError(
            f"it holds {len(series)} images; name one of them, for instance its '0'"
        )
    raise ImageFileError("it holds no image that follows OME-Zarr 0.4 or 0.5 (no 'multiscales')")


def _name_of(axis: Any) -> str:
    return str(axis["name"] if isinstance(axis, Mapping) else axis)


def _transforms(
    described: Mapping[str, Any], level: Mapping[str, Any], axes: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Scale and translation of the full size: those of the level, then those of all levels."""
    scale = dict.fromkeys(axes, 1.0)
    offset = dict.fromkeys(axes, 0.0)
    for source in (level, described):
        for step in source.get("coordinateTransformations", ()):
            for letter, value in zip(axes, step.get(step["type"], ()), strict=False):
                if step["type"] == "scale":
                    scale[letter] *= value
                    offset[letter] *= value
                elif step["type"] == "translation":
                    offset[letter] += value
    return scale, {letter: value for letter, value in offset.items() if value}


def _pixels(array: Any, path: Path, lazy_above: int) -> Any:
    """Pixels in memory if they are few, else a dask array of whole chunks, one plane deep."""
    if array.nbytes <= lazy_above:
        return np.asarray(array[...])
    import dask.array as da

    inner = getattr(array, "shards", None) or array.chunks
    chunks = [*inner]
    for axis in range(max(0, array.ndim - 2), array.ndim):
        chunks[axis] = min(array.shape[axis], max(1, _BLOCK // inner[axis]) * inner[axis])
    return da.from_array(Guarded(array, path), chunks=tuple(chunks), name=False)


def write_ome_zarr(path: Path, array: Any, like: ImageFile) -> None:
    """Write an OME-Zarr with a pyramid, a block at a time.

    NGFF 0.4 (Zarr 2), which most programs read, unless the source was 0.5. Each level of the
    pyramid is the mean of 2 x 2 pixels of the one before. Colours become channels.

    Parameters
    ----------
    path : Path
        Target folder.
    array : numpy.ndarray or dask.array.Array
        Pixels.
    like : ImageFile
        Source of axes, scale, units, translation and channel descriptions.

    Raises
    ------
    ImageFileError
        If zarr is not installed, or the array has no two axes.
    """
    zarr = _zarr()
    keep = like.metadata if like.format == "zarr" else {}
    if keep.get("plain"):
        _write_level(zarr.create_array, array, store=path, zarr_format=3)
        return
    axes, array = _in_order(array, like.axes)
    version = keep.get("version", "0.4")
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    names = {"dimension_names": list(axes.lower())} if version == "0.5" else _SLASHES
    factors = np.ones(array.ndim)
    datasets = [_dataset("0", axes, factors, like)]
    _write_level(group.create_array, array, name="0", **names)
    while max(group[datasets[-1]["path"]].shape[-2:]) > _SMALLEST:
        half, step = _halved(group[datasets[-1]["path"]])
        factors = factors * step
        datasets.append(_dataset(str(len(datasets)), axes, factors, like))
        _write_level(group.create_array, half, name=datasets[-1]["path"], **names)
    multiscale: dict[str, Any] = {
        "name": keep.get("name") or path.name.partition(".")[0],
        "axes": [_axis(letter, like) for letter in axes],
        "datasets": datasets,
        "type": "mean",
    }
    attributes: dict[str, Any] = {"multiscales": [multiscale]}
    if keep.get("omero"):
        attributes["omero"] = keep["omero"]
    if version == "0.5":
        attributes = {"ome": {"version": version, **attributes}}
    else:
        multiscale["version"] = version
    group.attrs.update(attributes)


def _in_order(array: Any, axes: str | None) -> tuple[str, Any]:
    """Axis letters and pixels in the order that OME-Zarr prescribes: T, C, Z, Y, X.

    Raises
    ------
    ImageFileError
        If it has no place for the axes.
    """
    if axes is None or len(axes) != array.ndim:
        colours = array.ndim > 2 and array.shape[-1] in (3, 4)
        axes = "TZYXS"[-array.ndim :] if colours else "TCZYX"[-array.ndim :]
    if len(axes) != array.ndim or array.ndim < 2 or {"S", "C"} <= set(axes):
        raise ImageFileError(
            f"OME-Zarr has no place for an array of shape {array.shape} with the axes {axes}; "
            "write .tif or .npy"
        )
    letters = axes.replace("S", "C")
    order = [letters.index(letter) for letter in "TCZYX" if letter in letters]
    return "".join(letters[at] for at in order), array.transpose(order)


def _axis(letter: str, like: ImageFile) -> dict[str, str]:
    axis = {"name": letter.lower(), "type": _TYPES[letter]}
    if like.units.get(letter):
        axis["unit"] = like.units[letter]
    return axis


def _dataset(name: str, axes: str, factors: Any, like: ImageFile) -> dict[str, Any]:
    """Description of a level; the first pixel of a halved level lies between the two it covers."""
    scale = [like.scale.get(letter, 1.0) for letter in axes]
    start = like.metadata.get("translation") or {} if like.format == "zarr" else {}
    offset = [
        start.get(letter, 0.0) + step * (factor - 1) / 2
        for letter, step, factor in zip(axes, scale, factors, strict=True)
    ]
    steps: list[dict[str, Any]] = [
        {"type": "scale", "scale": [float(s * f) for s, f in zip(scale, factors, strict=True)]}
    ]
    if any(offset):
        steps.append({"type": "translation", "translation": [float(value) for value in offset]})
    return {"path": name, "coordinateTransformations": steps}


def _write_level(create: Any, array: Any, **options: Any) -> None:
    """Write one array, by blocks if it is lazy."""
    chunks = (1,) * (array.ndim - 2) + tuple(min(_CHUNK, max(1, n)) for n in array.shape[-2:])
    target = create(shape=array.shape, dtype=array.dtype, chunks=chunks, **options)
    if is_lazy(array):
        store(array, target)
    elif array.size:
        target[...] = array


def _halved(level: Any) -> tuple[Any, Any]:
    """Mean of 2 x 2 pixels, lazily, without an odd last row, and the factor along every axis."""
    import dask.array as da

    step = np.ones(level.ndim, int)
    step[-2:] = [2 if size > 1 else 1 for size in level.shape[-2:]]
    blocks = (1,) * (level.ndim - 2) + (_BLOCK, _BLOCK)
    source = da.from_array(level, chunks=blocks, name=False)
    mean = da.coarsen(np.mean, source, dict(enumerate(map(int, step))), trim_excess=True)
    if level.dtype.kind in "iu":
        mean = da.rint(mean)
    return mean.astype(level.dtype), step
