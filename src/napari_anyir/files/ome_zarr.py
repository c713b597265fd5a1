"""Read OME-Zarr (NGFF 0.1 to 0.6) and write it (0.4 and 0.5), chunk by chunk."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_anyir.errors import ImageFileError
from napari_anyir.files.file_errors import GuardedArray
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.lazy_arrays import is_lazy, store
from napari_anyir.files.ngff import letters_of_names, read_multiscale
from napari_anyir.files.zarr_safety import checked, open_store

__all__ = ["read_ome_zarr", "write_ome_zarr"]

_CHUNK = 1024
_BLOCK = 2048  # side of the blocks that are restored at a time, when a plane is larger
_SMALLEST = 256  # a pyramid ends when both sides are at most this
_SUFFIX = re.compile(r"(\.ome)?\.zarr$", re.I)
# NGFF 0.4 asks for nested folders, one per axis.
_SLASHES = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
_OWN = "napari-anyir"
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

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.ome.zarr"
    >>> write_ome_zarr(path, np.zeros((2, 8, 8), np.uint8), ImageFile(None, "ZYX", "zarr"))
    >>> read_ome_zarr(path, lazy_above=2**20).axes
    'ZYX'
    """
    zarr = _zarr()
    if not path.is_dir():
        raise ImageFileError("it is no folder, as every Zarr is")
    try:
        node = zarr.open(open_store(path), mode="r")
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ImageFileError(f"its content is not that of a Zarr ({error})") from error
    if isinstance(node, zarr.Array):
        return _plain_array(node, path, lazy_above)
    group, attributes, name = _image_group(node, path)
    many = attributes["multiscales"]
    described = many[0]
    if not described.get("datasets"):
        raise ImageFileError("its 'multiscales' name no level")
    level = described["datasets"][0]
    try:
        array = group[level["path"]]
    except KeyError as error:
        raise ImageFileError(f"its level '{level['path']}' is missing") from error
    if not isinstance(array, zarr.Array):
        raise ImageFileError(f"its level '{level['path']}' is no array")
    array = checked(array)
    found = read_multiscale(described, array.ndim)
    version = str(described.get("version") or attributes.get("version") or "")
    own = _unpacked(group.attrs.asdict().get(_OWN))
    metadata = {
        "version": "0.5" if array.metadata.zarr_format == 3 else "0.4",
        "name": described.get("name", ""),
        "translation": dict(found.translation),
        "omero": attributes.get("omero"),
        **own,
    }
    notes = [*found.notes]
    if name:
        notes.append(f"its only image is '{name}'")
    if version >= "0.6":
        notes.append(f"its version {version} is written as 0.5")
    if len(many) > 1:
        notes.append(f"of its {len(many)} multiscales the first is read")
    if "labels" in group:
        notes.append("its labels are left out; copy its folder 'labels' if they are wanted")
    if getattr(array, "shards", None):
        notes.append("its chunks are not put into shards again")
    nodata = metadata.pop("nodata", None)
    return ImageFile(
        _pixels(array, path, lazy_above),
        found.axes,
        "zarr",
        path,
        found.scale,
        found.units,
        metadata,
        nodata=nodata,
        notes=tuple(notes),
    )


def _plain_array(array: Any, path: Path, lazy_above: int) -> ImageFile:
    """An array without a description, with the axes that it may name."""
    array = checked(array)
    attributes = array.attrs.asdict()
    names = getattr(array.metadata, "dimension_names", None)
    names = names or attributes.get("_ARRAY_DIMENSIONS") or ()  # as xarray names them
    letters = letters_of_names(names)
    metadata = {
        "plain": True,
        "zarr_format": array.metadata.zarr_format,
        "dimension_names": list(names) or None,
        "attributes": attributes,
    }
    axes = letters if letters and len(letters) == array.ndim else None
    return ImageFile(_pixels(array, path, lazy_above), axes, "zarr", path, metadata=metadata)


def _image_group(node: Any, path: Path) -> tuple[Any, Mapping[str, Any], str]:
    """Group that holds the image, its attributes, and its name below the path."""
    attributes = node.attrs.asdict()
    attributes = attributes.get("ome", attributes)
    if attributes.get("multiscales"):
        return node, attributes, ""
    if "plate" in attributes or "well" in attributes:
        inner = "A/1/0" if "plate" in attributes else "0"
        raise ImageFileError(
            f"it is a plate or a well; name one of the images in it, such as '{path / inner}'"
        )
    series = []
    for name, group in node.groups():
        below = group.attrs.asdict()
        if below.get("ome", below).get("multiscales"):
            series.append(name)
    series.sort(key=lambda name: (len(name), name) if name.isdigit() else (10**6, name))
    if len(series) == 1:
        found, below, _ = _image_group(node[series[0]], path / series[0])
        return found, below, series[0]
    if series:
        raise ImageFileError(
            f"it holds {len(series)} images; name one of them, such as '{path / series[0]}'"
        )
    raise ImageFileError("it holds no image that follows OME-Zarr (no 'multiscales')")


def _packed(like: ImageFile) -> dict[str, Any]:
    """What other formats know and OME-Zarr has no place for, as attributes of our own."""
    packed: dict[str, Any] = {
        name: base64.b64encode(like.metadata[name]).decode()
        for name in ("icc_profile", "exif", "xmp")
        if like.metadata.get(name)
    }
    if like.metadata.get("text"):
        packed["text"] = dict(like.metadata["text"])
    if like.nodata is not None:
        packed["nodata"] = str(like.nodata)  # JSON has no NaN
    return packed


def _unpacked(packed: Any) -> dict[str, Any]:
    """The inverse of `_packed`; what is broken is left out."""
    found: dict[str, Any] = {}
    for name, value in packed.items() if isinstance(packed, Mapping) else ():
        with contextlib.suppress(ValueError, TypeError):
            if name in ("icc_profile", "exif", "xmp"):
                found[name] = base64.b64decode(value, validate=True)
            elif name == "text" and isinstance(value, Mapping):
                found[name] = {str(key): str(text) for key, text in value.items()}
            elif name == "nodata":
                found[name] = float(value)
    return found


def _pixels(array: Any, path: Path, lazy_above: int) -> Any:
    """Pixels in memory if they are few, else a dask array of whole chunks, one plane deep."""
    if array.nbytes <= lazy_above:
        return np.asarray(array[...])
    import dask.array as da

    inner = getattr(array, "shards", None) or array.chunks
    chunks = [*inner]
    for axis in range(max(0, array.ndim - 2), array.ndim):
        chunks[axis] = min(array.shape[axis], max(1, _BLOCK // inner[axis]) * inner[axis])
    return da.from_array(GuardedArray(array, path), chunks=tuple(chunks), name=False)


def write_ome_zarr(path: Path, array: Any, like: ImageFile, *, name: str = "") -> None:
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
    name : str
        Name of the folder that it will be, of which the image takes its name unless it had one;
        default: that of ``path``.

    Raises
    ------
    ImageFileError
        If zarr is not installed, or the array has no two axes.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.ome.zarr"
    >>> write_ome_zarr(path, np.zeros((64, 64), np.uint8), ImageFile(None, "YX", "zarr"))
    >>> (path / "0").is_dir()
    True
    """
    zarr = _zarr()
    keep = like.metadata if like.format == "zarr" else {}
    if keep.get("plain"):
        form = keep.get("zarr_format", 3)
        named = {"dimension_names": keep.get("dimension_names")} if form == 3 else {}
        created = {"store": path, "zarr_format": form, **named}
        _write_level(zarr.create_array, array, attributes=keep.get("attributes"), **created)
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
        "name": keep.get("name") or _SUFFIX.sub("", name) or path.name.partition(".")[0],
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
    if packed := _packed(like):
        attributes[_OWN] = packed
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
