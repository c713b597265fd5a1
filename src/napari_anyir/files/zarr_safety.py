"""What a Zarr's metadata ask for, looked at before any chunk is read or anything is decoded."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

from napari_anyir.errors import ImageFileError
from napari_anyir.files.claims import check_blocks

__all__ = ["check_array", "open_store"]

# Codecs that give numbers back and run nothing that a file brings, by their names in Zarr 2 and 3.
_NUMBERS = {
    "adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "endian",
    "fixedscaleoffset", "fletcher32", "gzip", "jenkins_lookup3", "lz4", "lzma", "packbits",
    "pcodec", "quantize", "sharding_indexed", "shuffle", "transpose", "zfpy", "zlib", "zstd",
}  # fmt: skip
_SLACK = 2**20  # bytes by which a chunk may be larger than its pixels
_CHUNK_FACTOR = 4  # so many times the array may one chunk claim
_ALWAYS = 2**28  # bytes of a chunk that are never too many


def open_store(path: Path) -> Any:
    """Open a folder as a store of zarr that refuses chunks which would decode to too much.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    zarr.storage.LocalStore
        Its ``limit`` and ``codec`` are set by `check_array`.
    """
    from zarr.storage import LocalStore

    class CheckedStore(LocalStore):
        """A folder whose chunks are looked at before they are decoded."""

        limit = 0
        codec = ""

        async def get(self, key: str, *args: Any, **options: Any) -> Any:
            found = await super().get(key, *args, **options)
            if self.limit and found is not None:
                _check_chunk(key, found, self.limit, self.codec)
            return found

        def __reduce__(self) -> Any:
            return _reopened, (self.root, self.limit, self.codec)

    return CheckedStore(path, read_only=True)


def _reopened(root: Path, limit: int, codec: str) -> Any:
    """Make a store again in another process."""
    store = open_store(Path(root))
    store.limit, store.codec = limit, codec
    return store


def check_array(array: Any) -> None:
    """Refuse arrays of objects, codecs that could run code, and chunks out of all proportion.

    Parameters
    ----------
    array : zarr.Array
        From a store of `open_store`; none of its chunks is read.

    Raises
    ------
    ImageFileError
        One sentence: what is refused.
    """
    if not hasattr(array, "dtype") or not hasattr(array, "ndim"):
        raise ImageFileError("its level is a group, and no array")
    kind = getattr(array.dtype, "kind", "O")
    if kind not in "biuf":
        raise ImageFileError(
            f"its pixels are {array.dtype}; save them as integers or floating point"
        )
    codecs = _codecs(array.metadata.to_dict())
    for name in codecs:
        if name.removeprefix("numcodecs.") not in _NUMBERS and not name.startswith("imagecodecs_"):
            raise ImageFileError(
                f"its codec {name[:40]!r} is not one for images, and might run code; save it again "
                "with zstd or gzip"
            )
    size = array.dtype.itemsize
    block = math.prod(getattr(array, "shards", None) or array.chunks) * size
    if block > _ALWAYS and block > _CHUNK_FACTOR * array.nbytes:
        raise ImageFileError(
            f"its chunks claim {block:,} bytes each, and the whole image has {array.nbytes:,}; "
            "save it in smaller chunks"
        )
    count = math.prod(
        -(-length // chunk) for length, chunk in zip(array.shape, array.chunks, strict=True)
    )
    check_blocks(block, count)
    store = array.store
    if hasattr(store, "limit"):
        store.limit = block
        store.codec = codecs[-1].removeprefix("numcodecs.") if codecs else ""


def _codecs(metadata: dict[str, Any]) -> list[str]:
    """Names of all codecs of an array, the one that is undone first last; inner ones, too."""
    if metadata.get("zarr_format") == 2:
        found = [*(metadata.get("filters") or ()), metadata.get("compressor")]
        return [str(codec["id"]) for codec in found if codec]
    names = []
    for codec in metadata.get("codecs", ()):
        names.append(str(codec["name"]))
        configuration = codec.get("configuration") or {}
        for inner in ("codecs", "index_codecs"):
            if inner in configuration:
                names = [*_codecs({"codecs": configuration[inner]}), *names]
    return names


def _check_chunk(key: str, found: Any, limit: int, codec: str) -> None:
    """Refuse a chunk that says, or must be, larger than the metadata allow."""
    if key.rpartition("/")[2] in (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"):
        return
    held = len(found)
    if held > 1.1 * limit + _SLACK:
        raise ImageFileError(
            f"its chunk '{key}' has {held:,} bytes, and may hold {limit:,} bytes of pixels at most"
        )
    claimed = _claimed(codec, found.to_bytes())
    if claimed is not None and claimed > 2 * limit + _SLACK:
        raise ImageFileError(
            f"its chunk '{key}' claims {claimed:,} bytes, and {limit:,} are expected; it is damaged"
        )


def _claimed(codec: str, data: bytes) -> int | None:
    """Bytes that a chunk says it decodes to; None if its format does not say."""
    try:
        if codec == "blosc":
            return int(struct.unpack_from("<I", data, 4)[0])
        if codec == "lz4":
            return int(struct.unpack_from("<I", data, 0)[0])
        if codec == "gzip":
            return int(struct.unpack_from("<I", data, len(data) - 4)[0])
        if codec == "zstd" and data[:4] == b"\x28\xb5\x2f\xfd":
            return _claimed_by_zstd(data)
    except struct.error:
        return None
    return None


def _claimed_by_zstd(data: bytes) -> int | None:
    """Content size in the head of a Zstandard frame (RFC 8878, 3.1.1.1)."""
    flags = data[4] if len(data) > 4 else 0
    single = flags >> 5 & 1
    size = (1 if single else 0, 2, 4, 8)[flags >> 6]
    at = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    if not size or len(data) < at + size:
        return None
    value = int.from_bytes(data[at : at + size], "little")
    return value + 256 if size == 2 else value
