"""Images that lie in several OME-TIFF files are one image; a missing file is an error."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_anyir.files import Settings, read_image, restore_files
from napari_anyir.files.tiff_sets import find_set

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def make_set(folder: Path, count: int = 3, *, companion: bool = False) -> np.ndarray:
    """One time point per file, each file with the whole description or none with it."""
    stack = np.arange(count * 600, dtype=np.uint16).reshape(count, 20, 30) * 30
    names = [f"t{n}.ome.tif" for n in range(count)]
    blocks = "".join(
        f'<TiffData FirstT="{n}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{n}</UUID></TiffData>'
        for n, name in enumerate(names)
    )
    content = (
        '<Image ID="Image:0" Name="cells"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
        f'Type="uint16" SizeX="30" SizeY="20" SizeC="1" SizeZ="1" SizeT="{count}" '
        f'PhysicalSizeX="0.5" PhysicalSizeY="0.5">{blocks}</Pixels></Image>'
    )
    if companion:
        text = f'<OME xmlns="{OME}" UUID="urn:uuid:c">{content}</OME>'
        (folder / "set.companion.ome").write_text(text, encoding="utf-8")
        content = '<BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:c"/>'
    for n, name in enumerate(names):
        text = f'<OME xmlns="{OME}" UUID="urn:uuid:{n}">{content}</OME>'
        tifffile.imwrite(folder / name, stack[n], description=text, metadata=None)
    return stack


@pytest.mark.parametrize("companion", [False, True])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("number", range(3))
def test_every_file_gives_the_whole(
    tmp_path: Path, number: int, lazy: bool, companion: bool
) -> None:
    stack = make_set(tmp_path, companion=companion)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(tmp_path / f"t{number}.ome.tif", lazy_above=0 if lazy else 2**30)
        assert image.axes == "TYX"
        assert image.scale == {"X": 0.5, "Y": 0.5}
        np.testing.assert_array_equal(np.asarray(image.array), stack)


@pytest.mark.parametrize("companion", [False, True])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("missing", range(3))
def test_a_missing_file_is_an_error(
    tmp_path: Path, missing: int, lazy: bool, companion: bool
) -> None:
    make_set(tmp_path, companion=companion)
    (tmp_path / f"t{missing}.ome.tif").unlink()
    for path in tmp_path.glob("*.ome.tif"):
        with pytest.raises(ValueError, match=rf"3 files of which 1 is missing.*t{missing}\.ome"):
            read_image(path, lazy_above=0 if lazy else 2**30)


def test_a_missing_description_is_an_error(tmp_path: Path) -> None:
    make_set(tmp_path, companion=True)
    (tmp_path / "set.companion.ome").unlink()
    with pytest.raises(ValueError, match=r"'set.companion.ome' is missing"):
        read_image(tmp_path / "t1.ome.tif")


def test_missing_planes_are_an_error(tmp_path: Path) -> None:
    # an acquisition that was stopped: two planes are described, one was written
    text = (
        f'<OME xmlns="{OME}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
        'Type="uint8" SizeX="30" SizeY="20" SizeC="1" SizeZ="1" SizeT="2">'
        '<TiffData IFD="0" PlaneCount="2"/></Pixels></Image></OME>'
    )
    plane = np.ones((20, 30), np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", plane, description=text, metadata=None)
    with pytest.raises(ValueError, match="cannot be read"):
        read_image(tmp_path / "a.ome.tif")


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    make_set(tmp_path)
    path = tmp_path / "t0.ome.tif"
    text = str(tifffile.tiffcomment(path)).replace("t1.ome.tif", "../secret.tif")
    tifffile.tiffcomment(path, re.sub(r"\s+", " ", text))
    with pytest.raises(ValueError, match="outside of its folder"):
        read_image(path)


def test_a_batch_restores_a_set_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    stack = make_set(tmp_path / "in")
    tifffile.imwrite(tmp_path / "in" / "z.tif", stack[0])
    settings = Settings(model="nano", strength=0)
    last = {}
    for status in restore_files([tmp_path / "in"], tmp_path / "out", settings=settings):
        last[status.name] = status
    assert sorted(last) == ["t0.ome.tif", "z.tif"]
    assert last["t0.ome.tif"].state == "done"
    assert "t1.ome.tif, t2.ome.tif" in last["t0.ome.tif"].message
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "t0.ome.tif"), stack)
    assert find_set(tmp_path / "out" / "t0.ome.tif") is None
    again = list(restore_files([tmp_path / "in"], tmp_path / "out", settings=settings))
    assert [status.state for status in again] == ["skipped", "skipped"]
    changed = tmp_path / "in" / "t2.ome.tif"
    tifffile.imwrite(changed, stack[2] + 1, description=tifffile.tiffcomment(changed))
    run = restore_files([tmp_path / "in"], tmp_path / "out", settings=settings, overwrite=True)
    assert {s.name: s.state for s in run}["t0.ome.tif"] == "done"


def test_a_renamed_file_is_itself(tmp_path: Path) -> None:
    stack = make_set(tmp_path, 1)
    path = (tmp_path / "t0.ome.tif").rename(tmp_path / "renamed.tif")
    np.testing.assert_array_equal(read_image(path).array, stack[0])
