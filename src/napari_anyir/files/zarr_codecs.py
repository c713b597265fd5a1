"""Codecs of Zarr behind a guard that looks at each chunk before it is decoded; imports zarr."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import zarr
from numcodecs.abc import Codec
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import ShardingCodec
from zarr.core.array import AsyncArray

from napari_anyir.files.packed import KNOWN, check_packed

__all__ = ["guarded"]


def guarded(array: Any, limit: int) -> Any:
    """Same array, whose chunks are looked at before they are decoded.

    Parameters
    ----------
    array : zarr.Array
        Any array; none of its chunks is read.
    limit : int
        Bytes that a chunk may become.

    Returns
    -------
    zarr.Array
        Of the same store, with the same metadata but for the guards among its codecs.

    Examples
    --------
    >>> import tempfile
    >>> array = zarr.create_array(tempfile.mkdtemp() + "/a.zarr", shape=(4, 4), dtype="uint8")
    >>> array[:] = 3
    >>> int(guarded(array, 1000)[0, 0])
    3
    """
    metadata: Any = array.metadata
    if metadata.zarr_format == 2:
        filters = tuple(_with_guard(codec, limit) for codec in metadata.filters or ())
        compressor = metadata.compressor and _with_guard(metadata.compressor, limit)
        metadata = replace(metadata, filters=filters or None, compressor=compressor)
    else:
        metadata = replace(metadata, codecs=_with_guards(metadata.codecs, limit))
    inner: Any = array._async_array
    return zarr.Array(AsyncArray(metadata, inner.store_path))


def _with_guards(codecs: Any, limit: int) -> tuple[Any, ...]:
    """Codecs of Zarr 3, each followed by its guard, which is so asked first in decoding."""
    found: list[Any] = []
    for codec in codecs:
        if isinstance(codec, ShardingCodec):
            codec = replace(
                codec,
                codecs=_with_guards(codec.codecs, limit),
                index_codecs=_with_guards(codec.index_codecs, limit),
            )
        found.append(codec)
        if isinstance(codec, BytesBytesCodec):
            name = str(codec.to_dict()["name"]).removeprefix("numcodecs.")
            if name in KNOWN:
                found.append(_Guard(name, limit))
    return tuple(found)


@dataclass(frozen=True)
class _Guard(BytesBytesCodec):
    """Passes bytes on as they are, if the codec before it can bear them."""

    codec: str
    limit: int
    is_fixed_size = True

    async def decode(self, chunks_and_specs: Any) -> Any:
        """Look at a batch of chunks."""
        pairs = list(chunks_and_specs)
        for data, _ in pairs:
            if data is not None:
                check_packed(self.codec, data.to_bytes(), self.limit)
        return [data for data, _ in pairs]

    def compute_encoded_size(self, input_byte_length: int, _: Any) -> int:
        """Bytes stay as many as they are."""
        return input_byte_length

    def to_dict(self) -> dict[str, Any]:
        """Name that no file has."""
        return {"name": f"guard of {self.codec}", "configuration": {"limit": self.limit}}


def _with_guard(codec: Any, limit: int) -> Any:
    """A codec of Zarr 2 behind its guard, if it needs one."""
    name = str(codec.codec_id)
    return _Guarded(codec, name, limit) if name in KNOWN else codec


class _Guarded(Codec):
    """A codec of numcodecs that looks at what it is to decode."""

    codec_id = "guarded"  # zarr asks the class for one; no file has it

    def __init__(self, codec: Any, name: str, limit: int) -> None:
        self._codec = codec
        self._name = name
        self._limit = limit

    def encode(self, buf: Any) -> Any:
        return self._codec.encode(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        check_packed(self._name, bytes(buf), self._limit)
        return self._codec.decode(buf, out)

    def get_config(self) -> dict[str, Any]:
        return dict(self._codec.get_config())
