"""OME-XML that grows when it is read, names other files, or is of an unlikely size."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_anyir import ImageFileError
from napari_anyir.files import ImageFile, read_image

PLANE = np.random.default_rng(3).integers(0, 999, (20, 24), np.uint16)
NAMESPACE = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
PIXELS = (
    '<Pixels ID="Pixels:0" Type="uint16" SizeX="24" SizeY="20" SizeZ="1" SizeC="1" SizeT="1" '
    'DimensionOrder="XYZCT"><Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/></Pixels>'
)
# Ten to the power of nine letters.
LAUGHS = "<!ENTITY a0 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)
)


def outcome(path: Path, lazy_above: int = 2**28) -> tuple[ImageFile | None, str]:
    """Read an image, or the sentence that refuses it."""
    try:
        return read_image(path, lazy_above=lazy_above), ""
    except ImageFileError as error:
        return None, str(error)


def described(folder: Path, where: str, text: str) -> Path:
    """Write a plane with an OME-XML in it, or beside it."""
    path = folder / "a.ome.tif"
    if where == "beside":
        (folder / "a.companion.ome").write_text(text)
        text = (
            f'<OME {NAMESPACE}><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:1"/></OME>'
        )
    tifffile.imwrite(path, PLANE, description=text, metadata=None)
    return path


@pytest.mark.parametrize("lazy_above", [0, 2**28])
@pytest.mark.parametrize("where", ["inside", "beside"])
@pytest.mark.parametrize("kind", ["laughs", "file", "laughs in a name"])
def test_entities_are_not_expanded(tmp_path: Path, kind: str, where: str, lazy_above: int) -> None:
    (tmp_path / "secret").write_text("precious")
    kinds = {
        "laughs": (LAUGHS, "n", "&a9;"),
        "file": (f"<!ENTITY x SYSTEM '{tmp_path}/secret'>", "n", "&x;"),
        "laughs in a name": (LAUGHS, "&a9;", "n"),
    }
    entities, name, text = kinds[kind]
    path = described(
        tmp_path,
        where,
        f'<?xml version="1.0"?><!DOCTYPE OME [{entities}]><OME {NAMESPACE}><Image ID="Image:0" '
        f'Name="{name}"><Description>{text}</Description>{PIXELS}</Image></OME>',
    )
    started = time.process_time()
    image, said = outcome(path, lazy_above)
    assert time.process_time() - started < 20
    assert len(said) < 1500
    if image is not None:
        np.testing.assert_array_equal(np.asarray(image.array), PLANE)
        assert "precious" not in f"{image.metadata} {image.notes}"
        assert len(f"{image.metadata}") < 10**6


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    ["<a>" * 100_000 + "</a>" * 100_000, "<a b='c'/>" * 300_000, "<a " + "b" * 10**7],
    ids=["deep", "wide", "long"],
)
@pytest.mark.parametrize("where", ["inside", "beside"])
def test_xml_of_unlikely_size(tmp_path: Path, where: str, body: str) -> None:
    path = described(tmp_path, where, f"<OME {NAMESPACE}>{body}</OME>")
    started = time.process_time()
    image, said = outcome(path)
    assert time.process_time() - started < 20
    assert len(said) < 1500
    if image is not None:
        np.testing.assert_array_equal(image.array.reshape(PLANE.shape), PLANE)
