"""What a Zarr's metadata ask for, looked at before any chunk is read or anything is decoded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_anyir.errors import ImageFileError
from napari_anyir.files.claims import check_blocks
from napari_anyir.files.file_errors import is_regular

__all__ = ["checked", "open_store"]

# Codecs that give numbers back and run nothing that a file brings, by their names in Zarr 2 and 3.
_NUMBERS = {
    "adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "endian",
    "fixedscaleoffset", "fletcher32", "gzip", "jenkins_lookup3", "lz4", "lzma", "packbits",
    "pcodec", "quantize", "sharding_indexed", "shuffle", "transpose", "zlib", "zstd",
}  # fmt: skip
_SLACK = 2**20  # bytes by which a chunk may be larger than its pixels
_CHUNK_FACTOR = 4  # so many times the array may one chunk claim
_ALWAYS = 2**28  # bytes of a chunk that are never too many
_LARGEST_TEXT = 2**26  # bytes of metadata
_TEXTS = (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")
_WIDER = 16  # so many times may a filter, such as delta, widen what is compressed


def open_store(path: Path) -> Any:
    """Open a folder as a store of zarr that reads no file which is larger than it may be.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    zarr.storage.LocalStore
        Its ``limit`` is set by `checked`.

    Examples
    --------
    >>> import tempfile
    >>> import zarr
    >>> folder = Path(tempfile.mkdtemp()) / "a.zarr"
    >>> zarr.create_array(folder, shape=(4, 4), dtype="uint8")[:] = 3
    >>> int(zarr.open(open_store(folder), mode="r")[0, 0])
    3
    """
    from zarr.storage import LocalStore

    class CheckedStore(LocalStore):
        """A folder whose files are looked at before they are read."""

        limit = 0

        async def get(self, key: str, *args: Any, **options: Any) -> Any:
            _check_size(self.root / key, key, self.limit)
            return await super().get(key, *args, **options)

        def __reduce__(self) -> Any:
            return _reopened, (self.root, self.limit)

    return CheckedStore(path, read_only=True)


def _reopened(root: Path, limit: int) -> Any:
    """Make a store again in another process."""
    store = open_store(Path(root))
    store.limit = limit
    return store


def _check_size(path: Path, key: str, limit: int) -> None:
    """Refuse a chunk, or metadata, of more bytes than it can need, and what is no file."""
    try:
        held = path.stat().st_size
    except OSError:
        return  # zarr knows what a missing chunk means
    if path.exists() and not is_regular(path):
        raise ImageFileError(f"its '{key}' is a pipe, a socket or a device, and no file")
    most = _LARGEST_TEXT if path.name in _TEXTS else 1.1 * limit + _SLACK if limit else math.inf
    if held > most:
        raise ImageFileError(
            f"its '{key}' has {held:,} bytes, and {int(most):,} at most are expected"
        )


def checked(array: Any) -> Any:
    """Refuse arrays of objects, codecs that could run code, and chunks out of all proportion.

    Parameters
    ----------
    array : zarr.Array
        From a store of `open_store`; none of its chunks is read.

    Returns
    -------
    zarr.Array
        The same, which looks at each chunk before it is decoded.

    Raises
    ------
    ImageFileError
        One sentence: what is refused.

    Examples
    --------
    >>> import tempfile
    >>> import zarr
    >>> folder = Path(tempfile.mkdtemp()) / "a.zarr"
    >>> zarr.create_array(folder, shape=(4, 4), dtype="uint8")[:] = 3
    >>> int(checked(zarr.open(open_store(folder), mode="r"))[0, 0])
    3
    """
    if not hasattr(array, "dtype") or not hasattr(array, "ndim"):
        raise ImageFileError("its level is a group, and no array")
    kind = getattr(array.dtype, "kind", "O")
    if kind not in "biuf":
        raise ImageFileError(
            f"its pixels are {array.dtype}; save them as integers or floating point"
        )
    codecs = _codecs(array.metadata.to_dict())
    for name, configuration in codecs:
        if name.removeprefix("numcodecs.") not in _NUMBERS and not name.startswith("imagecodecs_"):
            raise ImageFileError(
                f"its codec {name[:40]!r} is not one for images, and might run code or read what "
                "is not its own; save it again with zstd or gzip"
            )
        _check_types(name, configuration)
    size = array.dtype.itemsize
    inner = math.prod(array.chunks) * size
    block = max(inner, math.prod(getattr(array, "shards", None) or array.chunks) * size)
    if block > _ALWAYS and block > _CHUNK_FACTOR * array.nbytes:
        raise ImageFileError(
            f"its chunks claim {block:,} bytes each, and the whole image has {array.nbytes:,}; "
            "save it in smaller chunks"
        )
    count = math.prod(
        -(-length // chunk) for length, chunk in zip(array.shape, array.chunks, strict=True)
    )
    check_blocks(block, count)
    wider = _WIDER // size if any(_types(configuration) for _, configuration in codecs) else 1
    array.store.limit = block * max(1, wider)
    from napari_anyir.files.zarr_codecs import guarded

    return guarded(array, inner * max(1, wider) + _SLACK)


def _types(configuration: Mapping[str, Any]) -> list[str]:
    """Types of numbers that a codec turns pixels into."""
    names = ("dtype", "astype", "encode_dtype", "decode_dtype")
    return [str(configuration[name]) for name in names if configuration.get(name) is not None]


def _check_types(codec: str, configuration: Mapping[str, Any]) -> None:
    """Refuse codecs that make of numbers what are none, such as texts of any length."""
    for name in _types(configuration):
        try:
            number = np.dtype(name).kind in "biuf"
        except (TypeError, ValueError, SyntaxError):
            number = False
        if not number:
            raise ImageFileError(f"its codec '{codec}' makes {name[:40]!r} of its pixels")


def _codecs(metadata: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Names and configurations of all codecs of an array; inner ones, too."""
    if metadata.get("zarr_format") == 2:
        found = [*(metadata.get("filters") or ()), metadata.get("compressor")]
        # As a mapping, or, in older versions of zarr, as an object of numcodecs.
        plain = [codec.get_config() if hasattr(codec, "get_config") else codec for codec in found]
        return [(str(codec["id"]), codec) for codec in plain if codec]
    codecs = []
    for codec in metadata.get("codecs", ()):
        configuration = codec.get("configuration") or {}
        codecs.append((str(codec["name"]), configuration))
        for inner in ("codecs", "index_codecs"):
            codecs += _codecs({"codecs": configuration.get(inner) or ()})
    return codecs
