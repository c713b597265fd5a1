"""Sets of TIFF files that are indexed, renamed, or still being written."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from napari_anyir import ImageFileError
from napari_anyir.files import Settings, read_image, restore_files
from napari_anyir.files.tiff_sets import find_set

RANDOM = np.random.default_rng(7)
MOVIE = RANDOM.integers(0, 999, (2, 3, 20, 24), np.uint16)
NAMES = ("DAPI", "GFP", "Cy5")


def ndtiff(
    folder: Path, files: list[list[tuple[dict[str, Any], NDArray[np.uint16]]]]
) -> list[Path]:
    """Write planes as Micro-Manager 2 does: a chain of pages in each file, and one index."""
    index, paths = b"", []
    for number, planes in enumerate(files):
        path = folder / f"a_NDTiffStack{f'_{number}' if number else ''}.tif"
        summary = json.dumps({"Prefix": "a"}).encode()
        data = bytearray(b"II*\0" + struct.pack("<I", 0))
        data += struct.pack("<5I", 483729, 3, 2, 2355492, len(summary)) + summary
        data += bytes(len(data) % 2)
        last = 4
        for axes, plane in planes:
            struct.pack_into("<I", data, last, len(data))
            meta = json.dumps({"Axes": axes}).encode()
            pixels = len(data) + 2 + 12 * 10 + 4
            behind = pixels + plane.nbytes
            tags = [
                (256, 4, 1, plane.shape[1]), (257, 4, 1, plane.shape[0]), (258, 3, 1, 16),
                (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, pixels), (277, 3, 1, 1),
                (278, 4, 1, plane.shape[0]), (279, 4, 1, plane.nbytes),
                (51123, 2, len(meta), behind),
            ]  # fmt: skip
            page = struct.pack("<H", 10) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
            last = len(data) + len(page)
            data += page + bytes(4) + plane.tobytes() + meta
            data += bytes(len(data) % 2)
            listed, name = json.dumps(axes).encode(), path.name.encode()
            index += struct.pack("<I", len(listed)) + listed + struct.pack("<I", len(name)) + name
            sizes = (pixels, plane.shape[1], plane.shape[0], 1, 0, behind, len(meta), 0)
            index += struct.pack("<IiiiiIii", *sizes)
        path.write_bytes(data)
        paths.append(path)
    (folder / "NDTiff.index").write_bytes(index)
    return paths


def movie(split: int = 6) -> list[list[tuple[dict[str, Any], NDArray[np.uint16]]]]:
    """Return the planes of the movie, so many in each file."""
    planes = [({"time": t, "channel": NAMES[c]}, MOVIE[t, c]) for t in range(2) for c in range(3)]
    return [planes[at : at + split] for at in range(0, 6, split)]


@pytest.mark.parametrize("lazy_above", [0, 2**28])
@pytest.mark.parametrize("split", [6, 4, 1])
def test_ndtiff(tmp_path: Path, split: int, lazy_above: int) -> None:
    for path in ndtiff(tmp_path, movie(split)):
        image = read_image(path, lazy_above=lazy_above)
        assert image.axes == "TCYX"
        np.testing.assert_array_equal(np.asarray(image.array), MOVIE)


def test_an_ndtiff_of_several_files_is_one_image(tmp_path: Path) -> None:
    """The batch restores it once; its size is held against all of its files."""
    large = RANDOM.integers(0, 999, (3, 3000, 4000), np.uint16)
    paths = ndtiff(tmp_path, [[({"z": z}, plane)] for z, plane in enumerate(large)])
    for path in paths:
        rows = np.asarray(read_image(path, lazy_above=0).array[:, 9])
        np.testing.assert_array_equal(rows, large[:, 9])
        assert len(find_set(path).files) == 3
    for path in paths:
        path.unlink()
    ndtiff(tmp_path, movie(4))
    run = restore_files([tmp_path], tmp_path / "out", settings=Settings(model="nano", strength=0))
    states = {status.name: status.state for status in run}
    assert states == {"a_NDTiffStack.tif": "done"}  # whose message names the other
    result = read_image(tmp_path / "out" / "a_NDTiffStack.tif")
    assert (result.axes, result.array.shape) == ("TCYX", MOVIE.shape)


def test_an_ndtiff_with_a_file_or_planes_missing(tmp_path: Path) -> None:
    first, second = ndtiff(tmp_path, movie(4))
    second.unlink()
    with pytest.raises(ImageFileError, match="set of 2 files of which 1 is missing, such as 'a_ND"):
        read_image(first)
    for path in ndtiff(tmp_path, [movie()[0][:5]]):
        with pytest.raises(ImageFileError, match="1 of its planes are missing"):
            read_image(path)


def test_an_ndtiff_index_leads_nowhere_and_claims_nothing(tmp_path: Path) -> None:
    (path,) = ndtiff(tmp_path, movie())
    index = tmp_path / "NDTiff.index"
    whole = index.read_bytes()
    name = path.name.encode()
    index.write_bytes(whole.replace(name, b"../" + name[3:], 1))
    with pytest.raises(ImageFileError, match="outside of its folder"):
        read_image(path)
    for broken in (whole.replace(b'"time": 1', b'"time": 11'), whole[:-5], whole[:30], b""):
        index.write_bytes(broken)  # what stands before the damage would be a shorter movie
        with pytest.raises(ImageFileError, match="index of its set"):
            read_image(path)
    ndtiff(tmp_path, [[({"z": z}, MOVIE[0, 0]) for z in (0, 10**9)]])
    with pytest.raises(ImageFileError, match=r"lists 2 planes as a part of 1,000,000,001"):
        read_image(path)
    (path,) = ndtiff(tmp_path, movie())
    index.unlink()  # then it is a TIFF like others
    np.testing.assert_array_equal(read_image(path).array.reshape(MOVIE.shape), MOVIE)


def test_renamed_files_of_an_ome_set(tmp_path: Path) -> None:
    """Names that lead to nothing are missing files; nothing is made up, and none taken for another.

    Whoever renames all files of a set has to be told, since the names in them are the old ones.
    """
    uuids = [f"urn:uuid:0000000{n}-1111-2222-3333-444444444444" for n in range(2)]
    blocks = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="z{z}.ome.tif">{uuids[z]}'
        "</UUID></TiffData>"
        for z in range(2)
    )
    for z in range(2):
        described = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuids[z]}"><Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint16" SizeX="24" '
            'SizeY="20" SizeZ="2" SizeC="1" SizeT="1" DimensionOrder="XYZCT"><Channel '
            f'ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
        )
        path = tmp_path / f"z{z}.ome.tif"
        tifffile.imwrite(path, MOVIE[0, z], description=described, metadata=None)
    np.testing.assert_array_equal(read_image(tmp_path / "z1.ome.tif").array, MOVIE[0, :2])
    (tmp_path / "z1.ome.tif").rename(tmp_path / "other.ome.tif")
    for name in ("z0.ome.tif", "other.ome.tif"):
        with pytest.raises(ImageFileError, match="1 is missing, such as 'z1"):
            read_image(tmp_path / name)
    (tmp_path / "z0.ome.tif").rename(tmp_path / "another.ome.tif")
    for name in ("another.ome.tif", "other.ome.tif"):
        with pytest.raises(ImageFileError, match="2 are missing, such as 'z0"):
            read_image(tmp_path / name)


def _grow(path: Path, extra: NDArray[np.uint16]) -> None:
    """Append as another program does that is still measuring."""
    if path.suffix == ".npy":
        with path.open("ab") as file:
            file.write(extra.tobytes())
    else:
        tifffile.imwrite(path, extra, append=True, metadata=None, photometric="minisblack")


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_files_that_grow_while_they_are_read(tmp_path: Path, suffix: str) -> None:
    """What was there when the file was opened is what is read."""
    path = tmp_path / f"a{suffix}"
    stack = MOVIE.reshape(6, 20, 24)
    if suffix == ".npy":
        np.save(path, stack)
    else:
        tifffile.imwrite(path, stack, metadata=None, photometric="minisblack")
    image = read_image(path, lazy_above=0)
    np.testing.assert_array_equal(np.asarray(image.array[:2]), stack[:2])
    _grow(path, stack[:3])
    np.testing.assert_array_equal(np.asarray(image.array), stack)
    again = read_image(path)
    count = 6 if suffix == ".npy" else 9  # the head of a .npy says six
    np.testing.assert_array_equal(again.array, np.concatenate([stack, stack])[:count])


def test_a_tiff_whose_last_page_is_being_written(tmp_path: Path) -> None:
    """Half a page at the end is told of, and no page of zeros comes out."""
    path = tmp_path / "a.tif"
    for plane in MOVIE[0]:
        _grow(path, plane) if path.exists() else tifffile.imwrite(
            path, plane, metadata=None, photometric="minisblack"
        )
    whole = path.stat().st_size
    for cut in (10, 400, 960):
        os.truncate(path, whole - cut)
        with pytest.raises(ImageFileError):
            np.asarray(read_image(path).array)
