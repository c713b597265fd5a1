"""Compressed pieces that are damaged, or made to fill the memory, end as one sentence."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_anyir import ImageFileError
from napari_anyir.files import read_image
from napari_anyir.files.packed import check_packed

BOMB = 2**25


def raw_zstd(content: int | None, blocks: bytes) -> bytes:
    """Return a frame of Zstandard with what it claims to hold and its blocks."""
    if content is None:
        return b"\x28\xb5\x2f\xfd\x00\x58" + blocks
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", content) + blocks


def repeated(count: int, size: int = 2**17) -> bytes:
    """Return blocks of Zstandard that repeat one byte."""
    heads = [size << 3 | 2] * (count - 1) + [size << 3 | 3]
    return b"".join(head.to_bytes(3, "little") + b"\7" for head in heads)


@pytest.mark.parametrize(
    ("codec", "make"),
    [
        ("zlib", zlib.compress),
        ("gzip", gzip.compress),
        ("bz2", bz2.compress),
        ("lzma", lzma.compress),
        ("lzma", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
        ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
        ("bz2", lambda data: bz2.compress(data[:9]) + bz2.compress(data[9:])),
    ],
)
def test_what_is_unpacked_is_counted(codec: str, make: Callable[[bytes], bytes]) -> None:
    data = make(bytes(5000))
    check_packed(codec, data, 5000)
    with pytest.raises(ImageFileError, match="unpacks to more than the 4,999 bytes"):
        check_packed(codec, data, 4999)


def test_streams_that_are_followed_by_others() -> None:
    """What follows a stream of bz2 or LZMA is passed over, as Python's own decoders do."""
    for codec, packed in (("bz2", bz2.compress(b"x")), ("lzma", lzma.compress(b"x"))):
        check_packed(codec, packed + b"no other stream", 1)
    check_packed("zlib", zlib.compress(b"x") + b"padding", 1)
    check_packed("gzip", gzip.compress(b"x") + bytes(7), 1)


def test_frames_of_zstandard() -> None:
    check_packed("zstd", raw_zstd(2**17, repeated(1)), 2**17)
    check_packed("zstd", raw_zstd(None, repeated(3)), 2**10)  # never too much
    skipped = b"\x50\x2a\x4d\x18" + struct.pack("<I", 3) + b"abc"
    check_packed("zstd", skipped + raw_zstd(5, repeated(1, 5)), 5)
    for data in (
        raw_zstd(2**17, repeated(1)),
        skipped + raw_zstd(2**17, repeated(1)),
        raw_zstd(5, repeated(1, 5)) + raw_zstd(2**17, repeated(1)),
        raw_zstd(None, repeated(5000)),
    ):
        with pytest.raises(ImageFileError, match="unpacks to more"):
            check_packed("zstd", data, 1000)


def blosc(**changes: int) -> bytes:
    """Return two blocks of Blosc, with other numbers in the head."""
    named = {"version": 2, "lz": 1, "flags": 1, "width": 1, "size": 8, "block": 4, "held": 40}
    named |= {"first": 24, "second": 32} | changes
    return struct.pack("<4B5I", *named.values()) + bytes(12)


def test_heads_of_blosc() -> None:
    check_packed("blosc", blosc(held=36), 8)
    for changes in (
        {"version": 1}, {"width": 0}, {"block": 0}, {"block": 9}, {"held": 35}, {"held": 37},
        {"first": 23}, {"second": 33}, {"second": 2**32 - 1}, {"flags": 2}, {"block": 1},
    ):  # fmt: skip
        with pytest.raises(ImageFileError, match="damaged or cut off"):
            check_packed("blosc", blosc(**{"held": 36, **changes}), 8)
    with pytest.raises(ImageFileError, match="damaged or cut off"):
        check_packed("blosc", blosc(held=36)[:15], 8)
    with pytest.raises(ImageFileError, match="unpacks to more"):
        check_packed("blosc", blosc(held=36, size=9), 8)


MUTATED = """
import shutil, sys
from pathlib import Path
import numcodecs, numpy as np, zarr
from zarr import codecs
from napari_anyir import ImageFileError
from napari_anyir.files import read_image

place, kind, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
form, _, name = kind.partition(" ")
random = np.random.default_rng(3)
pixels = (random.integers(0, 9, (64, 64)) * 300).astype(np.uint16)
made = numcodecs.get_codec({"id": "blosc", "cname": name} if form == "2b" else {"id": name})
inner = codecs.BloscCodec(cname=name) if form != "3" else codecs.ZstdCodec()
if form.startswith("2"):
    options = {"zarr_format": 2, "compressors": made, "chunks": (64, 64)}
elif form == "3s":
    options = {"zarr_format": 3, "compressors": inner, "chunks": (32, 32), "shards": (64, 64)}
else:
    options = {"zarr_format": 3, "compressors": inner, "chunks": (64, 64)}
array = zarr.create_array(place / "a.zarr", shape=(64, 64), dtype="uint16", **options)
array[...] = pixels
assert (read_image(place / "a.zarr").array == pixels).all()
(chunk,) = [p for p in (place / "a.zarr").rglob("*") if p.is_file() and "0" in p.name]
whole = chunk.read_bytes()
ends = {"read": 0, "refused": 0}
for number in range(count):
    data = bytearray(whole)
    if number % 3 == 0:
        data = data[: int(random.integers(len(data)))]
    for _ in range(int(random.integers(1, 5))):
        if data:
            at = int(random.integers(min(len(data), 64 if number % 2 else len(data))))
            data[at] = int(random.integers(256))
    chunk.write_bytes(bytes(data))
    try:
        read_image(place / "a.zarr")
        ends["read"] += 1
    except ImageFileError as error:
        assert "\\n" not in str(error)
        ends["refused"] += 1
print(ends)
assert ends["refused"] > count // 10, ends
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["2b lz4", "2b blosclz", "2b zstd", "2b zlib", "2 zstd", "2 lz4", "3b zstd", "3s lz4"],
)
def test_mutated_chunks_kill_nobody(tmp_path: Path, kind: str) -> None:
    """Blosc is not told how many bytes it is given; a damaged head made the process die."""
    pytest.importorskip("zarr")
    command = [sys.executable, "-X", "faulthandler", "-c", MUTATED, tmp_path, kind, "120"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def bomb(folder: Path, codec: dict[str, object], chunk: bytes, *, shard: bool = False) -> Path:
    """Return a Zarr 3 of 64 x 64 pixels with one chunk."""
    codecs: list[object] = [{"name": "bytes", "configuration": {"endian": "little"}}, codec]
    if shard:
        index = [codecs[0], {"name": "crc32c"}]
        inner = {"chunk_shape": [64, 64], "codecs": codecs, "index_codecs": index}
        codecs = [{"name": "sharding_indexed", "configuration": inner}]
        import google_crc32c

        place = struct.pack("<2Q", 0, len(chunk))
        chunk += place + struct.pack("<I", google_crc32c.value(place))
    described = {
        "zarr_format": 3, "node_type": "array", "shape": [64, 64], "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [64, 64]}},
        "chunk_key_encoding": {"name": "default"}, "fill_value": 0, "attributes": {},
        "codecs": codecs,
    }  # fmt: skip
    path = folder / "bomb.zarr"
    (path / "c" / "0").mkdir(parents=True)
    (path / "zarr.json").write_text(json.dumps(described))
    (path / "c" / "0" / "0").write_bytes(chunk)
    return path


@pytest.mark.parametrize("shard", [False, True])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("gzip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data) + gzip.compress(b"")),
        ("numcodecs.bz2", bz2.compress),
        ("numcodecs.zlib", zlib.compress),
        ("zstd", lambda data: raw_zstd(None, repeated(4096))),
    ],
)
def test_bombs_in_chunks(
    tmp_path: Path, name: str, make: Callable[[bytes], bytes], shard: bool
) -> None:
    zarr = pytest.importorskip("zarr")
    if name.startswith("numcodecs.") and zarr.__version__ < "3.1":
        pytest.skip("numcodecs brings these to Zarr 3 itself")
    if shard:
        pytest.importorskip("google_crc32c")
    configuration = {"level": 5} if name != "zstd" else {"level": 1, "checksum": False}
    path = bomb(
        tmp_path, {"name": name, "configuration": configuration}, make(bytes(BOMB)), shard=shard
    )
    with pytest.raises(ImageFileError, match="unpacks to more than"):
        np.asarray(read_image(path).array)


@pytest.mark.parametrize("text", ["<U100000", "|O", "|V8", "<M8[s]", "nonsense"])
def test_codecs_that_make_other_things_of_numbers(tmp_path: Path, text: str) -> None:
    pytest.importorskip("zarr")
    path = tmp_path / "a.zarr"
    path.mkdir()
    filters = [{"id": "astype", "encode_dtype": "<u2", "decode_dtype": text}]
    described = {
        "zarr_format": 2, "shape": [16, 16], "chunks": [16, 16], "dtype": "<u2", "fill_value": 0,
        "order": "C", "compressor": None, "filters": filters,
    }  # fmt: skip
    (path / ".zarray").write_text(json.dumps(described))
    (path / "0.0").write_bytes(bytes(512))
    with pytest.raises(ImageFileError):
        np.asarray(read_image(path).array)


def test_metadata_of_unlikely_size(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    path = tmp_path / "a.zarr"
    path.mkdir()
    with (path / "zarr.json").open("wb") as file:
        file.truncate(2**33)  # takes no room
    with pytest.raises(ImageFileError, match="at most are expected"):
        read_image(path)
