"""What a file claims is checked against its bytes; nobody runs code by an image."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_anyir import ImageFileError
from napari_anyir.files import read_image, write_image


def refused(path: Path, says: str, **options: int) -> None:
    """Check that a file is refused with one sentence."""
    with pytest.raises(ImageFileError, match=says) as caught:
        np.asarray(read_image(path, **options).array)
    assert str(caught.value).startswith(f"'{path}' cannot be read: ")


ARRAY_2 = {
    "zarr_format": 2, "shape": [16, 16], "chunks": [16, 16], "dtype": "<u2", "fill_value": 0,
    "order": "C", "compressor": None, "filters": None,
}  # fmt: skip
ARRAY_3 = {
    "zarr_format": 3, "node_type": "array", "shape": [64, 64], "data_type": "uint16",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [64, 64]}},
    "chunk_key_encoding": {"name": "default"}, "fill_value": 0, "attributes": {},
    "codecs": [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "gzip", "configuration": {"level": 5}},
    ],
}  # fmt: skip


def zarr_2(folder: Path, chunk: bytes | None = None, **changes: object) -> Path:
    """Return a plain Zarr 2 array."""
    path = folder / "a.zarr"
    path.mkdir()
    (path / ".zarray").write_text(json.dumps({**ARRAY_2, **changes}))
    if chunk is not None:
        (path / "0.0").write_bytes(chunk)
    return path


def zarr_3(folder: Path, chunk: bytes | None = None, **changes: object) -> Path:
    """Return a plain Zarr 3 array."""
    path = folder / "a.zarr"
    (path / "c" / "0").mkdir(parents=True)
    (path / "zarr.json").write_text(json.dumps({**ARRAY_3, **changes}))
    if chunk is not None:
        (path / "c" / "0" / "0").write_bytes(chunk)
    return path


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "|O", "fill_value": "", "filters": [{"id": "vlen-utf8"}, {"id": "pickle"}]},
        {"dtype": "|O", "fill_value": "", "filters": [{"id": "pickle", "protocol": 5}]},
        {"filters": [{"id": "pickle", "protocol": 5}]},
        {"compressor": {"id": "pickle", "protocol": 5}},
        {"filters": [{"id": "json2"}]},
        {"filters": [{"id": "msgpack2"}]},
        {"dtype": "|S8", "fill_value": ""},
        {"dtype": [["r", "|u1"], ["g", "|u1"]], "fill_value": None},
        {"dtype": "<M8[s]", "fill_value": 0},
        {"dtype": "<c8", "fill_value": None},
    ],
    ids=lambda changes: str(changes)[:70],
)
def test_no_code_is_run_by_a_zarr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    pytest.importorskip("zarr")
    mark = tmp_path / "mark"
    # As numcodecs before 0.16.6 did without being asked.
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    refused(zarr_2(tmp_path, pickle.dumps(Evil(mark)), **changes), ".")
    assert not mark.exists()


def test_no_code_is_run_by_a_zarr_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("zarr")
    mark = tmp_path / "mark"
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    codecs = [*ARRAY_3["codecs"][:1], {"name": "numcodecs.pickle", "configuration": {}}]
    refused(zarr_3(tmp_path, pickle.dumps(Evil(mark)), codecs=codecs), ".")
    assert not mark.exists()


def test_objects_in_npy(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    np.save(tmp_path / "a.npy", np.array([[Evil(mark)]], dtype=object), allow_pickle=True)
    refused(tmp_path / "a.npy", "Python objects")
    assert not mark.exists()


def test_chunks_out_of_proportion(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    grid = {"name": "regular", "configuration": {"chunk_shape": [32768, 32768]}}
    refused(zarr_3(tmp_path, b"", chunk_grid=grid), "smaller chunks")


def test_more_chunks_than_can_be_listed(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    refused(zarr_2(tmp_path, shape=[2**40, 2**40]), "more than can be listed")


def test_blocks_that_no_memory_holds(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    refused(zarr_2(tmp_path, shape=[2**22, 2**22], chunks=[2**22, 2**22]), "memory are free")


@pytest.mark.parametrize(
    ("compressor", "chunk"),
    [
        ({"id": "zlib", "level": 1}, gzip.compress(bytes(2**22), 0)),
        ({"id": "gzip", "level": 1}, gzip.compress(bytes(2**24), 9)),
        ({"id": "blosc", "cname": "lz4"}, struct.pack("<4B3I", 2, 1, 1, 2, 2**30, 2**20, 16)),
        ({"id": "zstd", "level": 1}, b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", 2**31 - 1)),
        ({"id": "zstd", "level": 1}, b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**50)),
        ({"id": "lz4"}, struct.pack("<I", 2**31 - 1) + bytes(20)),
        (None, bytes(2**22)),
    ],
    ids=lambda value: str(value["id"]) if isinstance(value, dict) else "chunk",
)
def test_chunks_that_decode_to_too_much(
    tmp_path: Path, compressor: dict[str, object] | None, chunk: bytes
) -> None:
    pytest.importorskip("zarr")
    refused(zarr_2(tmp_path, chunk, compressor=compressor), "expected|damaged or cut off")


def test_lazy_chunks_are_checked_in_other_processes_too(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    path = zarr_2(tmp_path, gzip.compress(bytes(2**24)), compressor={"id": "gzip", "level": 1})
    lazy = read_image(path, lazy_above=0).array
    again = pickle.loads(pickle.dumps(lazy))
    with pytest.raises(ImageFileError, match="unpacks to more"):
        again.compute(scheduler="synchronous")


def test_large_and_sparse_zarrs_are_read(tmp_path: Path) -> None:
    """What is unusual but right must pass: chunks larger than the image, and chunks not there."""
    pytest.importorskip("zarr")
    path = zarr_2(tmp_path, shape=[5000, 5000], chunks=[1024, 1024], fill_value=7)
    assert int(read_image(path).array.min()) == 7
    (tmp_path / "x").mkdir()
    path = zarr_2(tmp_path / "x", chunks=[1024, 1024])
    (path / "0.0").write_bytes(np.full((1024, 1024), 5, "<u2").tobytes())
    assert int(read_image(path).array.max()) == 5


@pytest.mark.slow
def test_an_empty_picture_is_no_attack(tmp_path: Path) -> None:
    for name, size in (("a.png", 9000), ("a.tif", 9000), ("a.bmp", 500), ("a.webp", 4000)):
        array = np.zeros((size, size), np.uint8)
        if name == "a.tif":
            tifffile.imwrite(tmp_path / name, array, compression="zlib")
        else:
            Image.fromarray(array).save(tmp_path / name)
        assert read_image(tmp_path / name).array.shape[:2] == (size, size)


def _bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head + bytes(100)


def test_pictures_that_claim_too_much(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(_bmp(12000, 12000))
    refused(tmp_path / "a.bmp", "cannot hold them")
    (tmp_path / "a.gif.png").write_bytes(
        b"GIF89a" + struct.pack("<HHBBB", 13000, 13000, 0xF0, 0, 0) + bytes(6)
        + b"," + struct.pack("<HHHHB", 0, 0, 13000, 13000, 0) + b"\x02\x02\x44\x01\x00;"
    )  # fmt: skip
    refused(tmp_path / "a.gif.png", "cannot hold them")


@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("deep", [False, True])
def test_png_chunks_that_claim_too_much(tmp_path: Path, where: str, deep: bool) -> None:
    path = tmp_path / "a.png"
    write_image(path, np.zeros((24, 32, 3), np.uint16 if deep else np.uint8))
    data = path.read_bytes()
    at = data.index(b"IDAT") - 4 if where == "before" else data.index(b"IEND") - 4
    path.write_bytes(data[:at] + struct.pack(">I", 2**32 - 9) + b"tEXt" + data[at:])
    refused(path, "its chunk 'tEXt' claims 4,294,967,287 bytes")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiffs_that_claim_too_much(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((64, 64), np.uint8), compression=compression, metadata=None)
    with tifffile.TiffFile(path) as tif:
        places = [tif.pages[0].tags[tag].valueoffset for tag in (256, 257, 278)]
        kinds = [tif.pages[0].tags[tag].dtype for tag in (256, 257, 278)]
    data = bytearray(path.read_bytes())
    for at, kind in zip(places, kinds, strict=True):
        value = 60000
        struct.pack_into("<H" if int(kind) == 3 else "<I", data, at, value)
    path.write_bytes(data)
    refused(path, "cannot be read")


@pytest.mark.parametrize("shape", [(2**31, 2**31), (10**6, 10**6), (2**62, 4), (-1, 5)])
def test_npy_heads_that_claim_too_much(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        head = {"descr": "<u2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, head)
        file.write(bytes(1000))
    refused(tmp_path / "a.npy", ".")
    refused(tmp_path / "a.npy", ".", lazy_above=0)


@pytest.mark.skipif(sys.platform != "linux", reason="tells the peak of memory")
def test_nothing_is_allocated_before(tmp_path: Path) -> None:
    """A 1 GB chunk in 5 MB of gzip, and half a terabyte of pixels in a .npy."""
    pytest.importorskip("zarr")
    chunk = gzip.compress(bytes(2**26), 1)
    path = zarr_3(tmp_path, chunk * 16)
    with (tmp_path / "a.npy").open("wb") as file:
        head = {"descr": "<u2", "fortran_order": True, "shape": (500_000, 500_000)}
        np.lib.format.write_array_header_1_0(file, head)
    code = (
        "import sys; from pathlib import Path\n"
        "from napari_anyir.files import read_image\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_image(path)\n"
        "    except ValueError as error: print('refused')\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, tmp_path / "a.npy"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = done.stdout.split()
    assert said[:2] == ["refused", "refused"]
    assert int(said[2]) * 1024 < 2**30


def test_an_ome_tiff_names_no_file_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "secret.ome.tif", np.full((8, 8), 77, np.uint8))
    path = tmp_path / "in" / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), metadata={"axes": "YX"}, ome=True)
    text = tifffile.tiffcomment(path)
    uuid = '<UUID FileName="../secret.ome.tif">urn:x</UUID>'
    named = f'<TiffData IFD="0" PlaneCount="1">{uuid}</TiffData>'
    start = text.index("<TiffData")
    tifffile.tiffcomment(path, text[:start] + named + text[text.index("/>", start) + 2 :])
    refused(path, "outside of its folder")
