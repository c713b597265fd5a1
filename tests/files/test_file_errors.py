"""Whatever is wrong with a file is one sentence with its name, and our own error."""

import importlib.util
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
import torch

from napari_anyir import Cancelled, ImageFileError, ModelError
from napari_anyir.files import Settings, read_image, restore_files, write_image
from napari_anyir.files.file_errors import GuardedArray, as_file_error, reason, sentence

GREY = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)


def edited(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF with another number in one of its first page's tags."""
    data = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<I", data, entry + 8, value)
    return bytes(data)


def tiff_bytes(**options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, GREY, metadata=None, **options)
    return stream.getvalue()


def png_bytes(width: int, height: int, depth: int, colours: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def refusal(path, **options) -> str:
    with pytest.raises(ImageFileError) as caught:
        np.asarray(read_image(path, **options).array)
    text = str(caught.value)
    assert text.startswith(f"'{path}' cannot be read: "), text
    assert text.endswith(".")
    assert "\n" not in text
    assert caught.value.path == path
    return text


@pytest.mark.parametrize(
    ("tag", "value", "said"),
    [
        (262, 999, "its photometric interpretation (999) is unknown"),
        (259, 50000, "napari-anyir[codecs]"),
        (259, 999, "999"),
        (256, 0, "holds no pixels"),
        (257, 0, "holds no pixels"),
    ],
)
def test_tags_that_the_format_has_not(tmp_path, tag, value, said):
    path = tmp_path / "a.tif"
    path.write_bytes(edited(tiff_bytes(), tag, value))
    if value == 50000 and importlib.util.find_spec("imagecodecs"):
        pytest.skip("imagecodecs undoes this compression")
    assert said in refusal(path)


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("'int' object has no attribute 'name'"),
        ZeroDivisionError("division by zero"),
        OverflowError("too large"),
        RecursionError("maximum recursion depth exceeded"),
        RuntimeError("error during blosc decompression: -1"),
        MemoryError(),
        ModuleNotFoundError("No module named 'compression'", name="compression"),
        AssertionError(),
        StopIteration(),
        struct.error("unpack requires a buffer of 4 bytes"),
        zlib.error("Error -3 while decompressing data"),
        SyntaxError("broken PNG file"),
        OSError(5, "Input/output error"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        ExceptionGroup("several", [ValueError("x")]),
    ],
)
def test_every_error_becomes_the_sentence_of_its_file(tmp_path, error):
    path = tmp_path / "a.tif"
    with pytest.raises(ImageFileError) as caught, as_file_error(path):
        raise error
    assert str(caught.value).startswith(f"'{path}' cannot be read: ")
    assert caught.value.__cause__ is error
    again = pickle.loads(pickle.dumps(caught.value))  # between dask's processes
    assert (str(again), again.path) == (str(caught.value), path)
    assert sentence(error)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: np.empty(2**60, np.uint8),
        lambda: torch.empty(2**60, dtype=torch.uint8),
        lambda: bytearray(2**62),
    ],
    ids=["numpy", "torch", "python"],
)
def test_no_memory_is_a_sentence_with_its_remedy(ask):
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        ask()
    said = sentence(caught.value)
    assert said.startswith("The memory does not suffice")
    assert said.endswith("; close other programs, or give a smaller image or tile.")
    assert len(said.splitlines()) == 1
    own = MemoryError("The memory does not suffice for a tile of 32 x 32 pixels; close programs.")
    assert sentence(own) == str(own)


@pytest.mark.parametrize(
    "error", [Cancelled("stop"), ModelError("no such model"), KeyboardInterrupt()]
)
def test_what_is_not_the_files_fault_passes(tmp_path, error):
    with pytest.raises(type(error)) as caught, as_file_error(tmp_path / "a.tif"):
        raise error
    assert caught.value is error


def test_the_source_of_a_lazy_result_keeps_its_own_sentence(tmp_path):
    with (
        pytest.raises(ImageFileError, match=r"a\.npy' cannot be read") as caught,
        as_file_error(tmp_path / "out.tif", "written"),
        as_file_error(tmp_path / "a.npy"),
    ):
        raise OSError(5, "Input/output error")
    assert caught.value.path == tmp_path / "a.npy"
    assert "input/output error" in str(caught.value)


def test_errors_of_blocks_that_are_read_later(tmp_path):
    class Source:
        shape, dtype = (4, 4), np.dtype("uint8")

        def __getitem__(self, index):
            raise RuntimeError("error during decompression")

    with pytest.raises(ImageFileError, match="damaged"):
        GuardedArray(Source(), tmp_path / "a.zarr")[0]


def test_a_missing_package_is_named():
    error = ValueError("<COMPRESSION.ZSTD: 50000> requires the 'imagecodecs' package")
    assert "pip install 'napari-anyir[codecs]'" in reason(error)


def test_a_png_that_claims_too_much(tmp_path):
    path = tmp_path / "bomb.png"
    for depth, colours in ((16, 2), (16, 6), (8, 2), (8, 0)):
        path.write_bytes(png_bytes(60000, 60000, depth, colours))
        refusal(path)


def test_what_is_no_file(tmp_path):
    (tmp_path / "link.png").symlink_to("/nowhere/b.png")
    assert "a link to something that is not there" in refusal(tmp_path / "link.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    refusal(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would never end
    assert "a pipe" in refusal(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    refusal(tmp_path / "zero.png")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_image(tmp_path / "missing.png")


def _zarr(folder, attributes=None, array=None, chunk=None):
    """An OME-Zarr with some of its files replaced."""
    pytest.importorskip("zarr")
    pixels = np.random.default_rng(0).integers(0, 4000, (16, 16), np.uint16)
    path = write_image(folder / "a.ome.zarr", pixels)
    described = json.loads((path / ".zattrs").read_text())["multiscales"][0]
    if attributes is not None:
        text = attributes(described)
        (path / ".zattrs").write_text(text if isinstance(text, str) else json.dumps(text))
    if array is not None:
        values = json.loads((path / "0" / ".zarray").read_text())
        (path / "0" / ".zarray").write_text(json.dumps({**values, **array}))
    if chunk is not None:
        (stored,) = [
            file
            for file in (path / "0").rglob("*")
            if file.is_file() and not file.name.startswith(".")
        ]
        stored.write_bytes(chunk)
    return path


@pytest.mark.parametrize(
    "broken",
    [
        {"chunk": b"garbage" * 9},
        {"chunk": b""},
        {"attributes": lambda m: {"multiscales": [{**m, "datasets": [{"path": ""}]}]}},
        {"attributes": lambda m: {"multiscales": [{**m, "coordinateTransformations": [["x"]]}]}},
        {"attributes": lambda m: {"multiscales": [{**m, "coordinateTransformations": 5}]}},
        {"attributes": lambda m: {"multiscales": [{**m, "datasets": [{"path": "../b.zarr/0"}]}]}},
        {"attributes": lambda m: {"multiscales": [{**m, "datasets": []}]}},
        {"attributes": lambda m: {"multiscales": 5}},
        {"attributes": lambda m: {"multiscales": [{**m, "axes": None}]}},
        {"attributes": lambda m: "[" * 100000},
        {"attributes": lambda m: "[]"},
        pytest.param(
            {"array": {"fill_value": 10**12}},
            marks=pytest.mark.skipif(np.__version__ < "2", reason="such a number wraps around"),
        ),
        {"array": {"shape": "16"}},
        {"array": {"dtype": "|O", "filters": [{"id": "vlen-utf8"}]}},
        {"array": {"compressor": {"id": "nothing-like-it"}}},
    ],
)
def test_broken_ome_zarr(tmp_path, broken):
    refusal(_zarr(tmp_path, **broken))


def test_a_group_where_an_array_should_be(tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_group("g")
    group.attrs.update(
        {"multiscales": [{"version": "0.4", "axes": [], "datasets": [{"path": "g"}]}]}
    )
    refusal(tmp_path / "a.zarr")


def test_bad_files_of_every_kind_stop_nothing(tmp_path):
    """One folder with them all: the good file between and after them is restored."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.tif").write_bytes(edited(tiff_bytes(), 262, 999))
    (folder / "b.tif").write_bytes(edited(tiff_bytes(), 259, 50000))
    write_image(folder / "c.png", GREY)
    (folder / "d.png").write_bytes(png_bytes(60000, 60000, 16, 2))
    shutil.copytree(_zarr(tmp_path, chunk=b"garbage" * 9), folder / "e.ome.zarr")
    (folder / "f.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff")
    write_image(folder / "g.png", GREY)
    last = {
        status.name: status
        for status in restore_files([folder], tmp_path / "out", settings=Settings(model="nano"))
    }
    states = {name: status.state for name, status in last.items()}
    assert states == {
        **dict.fromkeys(("a.tif", "b.tif", "d.png", "e.ome.zarr", "f.npy"), "failed"),
        **dict.fromkeys(("c.png", "g.png"), "done"),
    }
    for name, status in last.items():
        if status.state == "failed":
            assert str(folder / name) in status.message


@pytest.mark.slow
def test_lazy_damage_is_that_files_error_in_a_batch(tmp_path):
    """A page that is cut short is found while blocks are computed, and stops nothing."""
    stack = np.random.default_rng(0).integers(0, 4000, (4, 64, 64), np.uint16)
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", stack, compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(folder / "a.tif") as tif:
        at = tif.pages[3].dataoffsets[0]
    data = bytearray((folder / "a.tif").read_bytes())
    data[at : at + 64] = b"\xff" * 64
    (folder / "a.tif").write_bytes(data)
    write_image(folder / "b.png", GREY)
    code = (
        "import sys, napari_anyir.files.images as images, napari_anyir.files.batch as batch\n"
        "import napari_anyir.files.batch_run as batch_run\n"
        "batch_run.read_image = lambda path: images.read_image(path, lazy_above=0)\n"
        "run = batch.restore_files([sys.argv[1]], sys.argv[2],\n"
        "    settings=batch.Settings(model='nano'))\n"
        "for status in run: print(status.name, status.state, status.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"a.tif failed '{folder / 'a.tif'}' cannot be read: " in done.stdout
    assert "b.png done" in done.stdout
    assert not (tmp_path / "out" / "a.tif").exists()
