"""TIFF as odd programs write it, put together byte by byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_anyir import ImageFileError
from napari_anyir.files import read_image, write_image
from napari_anyir.files.picture_heads import claimed_pixels

RANDOM = np.random.default_rng(5)
PLACES = RANDOM.integers(0, 256, (16, 24), np.uint8)
ALPHA = RANDOM.integers(0, 256, (16, 24), np.uint8)


def tiff(
    path: Path,
    pixels: bytes,
    *,
    size: tuple[int, int] = (24, 16),
    tags: dict[int, list[int]],
    order: str = "<",
) -> Path:
    """Write one strip with the tags that are given; those that every file needs are added."""
    tags = {256: [size[0]], 257: [size[1]], 258: [8], 259: [1], 277: [1], 278: [size[1]], **tags}
    tags = {273: [0], 279: [len(pixels)], **tags}
    directory, beside = struct.pack(f"{order}H", len(tags)), b""
    behind = 8 + 2 + 12 * len(tags) + 4
    for code, values in sorted(tags.items()):
        kind, form = (4, "I") if code in (273, 279) else (3, "H")
        data = struct.pack(f"{order}{len(values)}{form}", *values)
        head = struct.pack(f"{order}HHI", code, kind, len(values))
        if code == 273:
            data = b"HERE"
        if len(data) > 4:
            directory += head + struct.pack(f"{order}I", behind + len(beside))
            beside += data
        else:
            directory += head + data.ljust(4, b"\0")
    directory += bytes(4)
    place = struct.pack(f"{order}I", behind + len(beside))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    first = struct.pack(f"{order}I", 8)
    path.write_bytes(mark + first + directory.replace(b"HERE", place) + beside + pixels)
    return path


def both(path: Path) -> NDArray[np.generic]:
    """Pixels, read at once and lazily, which must be the same."""
    whole = read_image(path).array
    lazy = read_image(path, lazy_above=0).array
    assert (np.asarray(lazy) == whole).all()
    return np.asarray(whole)


@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_grey_with_alpha(tmp_path: Path, planar: int, white_is_zero: bool) -> None:
    """White and black are exchanged, transparent and opaque are not."""
    stored = 255 - PLACES if white_is_zero else PLACES
    pixels = np.stack([stored, ALPHA], -1 if planar == 1 else 0)
    tags = {258: [8, 8], 262: [int(not white_is_zero)], 277: [2], 284: [planar], 338: [2]}
    if planar == 2:
        tags |= {278: [16], 279: [384, 384], 273: [0, 0]}
        path = tmp_path / "a.tif"
        import tifffile

        colours = "miniswhite" if white_is_zero else "minisblack"
        options = {"photometric": colours, "planarconfig": "separate"}
        tifffile.imwrite(path, pixels, extrasamples=["unassalpha"], metadata=None, **options)
    else:
        path = tiff(tmp_path / "a.tif", pixels.tobytes(), tags=tags)
    seen = both(path)
    assert (seen[..., :3] == PLACES[..., None]).all()
    assert (seen[..., 3] == ALPHA).all()
    image = read_image(path)
    for suffix in (".png", ".tif", ".ome.zarr"):
        if suffix == ".ome.zarr":
            pytest.importorskip("zarr")
        again = read_image(write_image(tmp_path / f"b{suffix}", image.array, image))
        colours = again.array if again.axes == "YXS" else np.moveaxis(again.array, 0, -1)
        assert (colours == seen).all(), suffix


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("order", ["<", ">"])
def test_palettes_of_few_bits(tmp_path: Path, bits: int, order: str) -> None:
    places = PLACES >> (8 - bits)
    packed = np.packbits(np.unpackbits(places[..., None], axis=-1)[..., -bits:].reshape(16, -1), 1)
    palette = RANDOM.integers(0, 256, (3, 2**bits))
    tags = {258: [bits], 262: [3], 320: [int(value) * 257 for value in palette.ravel()]}
    seen = both(tiff(tmp_path / "a.tif", packed.tobytes(), tags=tags, order=order))
    assert seen.dtype == np.uint8
    assert (seen == palette.T[places]).all()


def test_palette_with_alpha(tmp_path: Path) -> None:
    palette = RANDOM.integers(0, 256, (3, 256))
    tags = {258: [8, 8], 262: [3], 277: [2], 338: [2]}
    tags[320] = [int(value) * 257 for value in palette.ravel()]
    path = tiff(tmp_path / "a.tif", np.stack([PLACES, ALPHA], -1).tobytes(), tags=tags)
    seen = both(path)
    assert (seen[..., :3] == palette.T[PLACES]).all()
    assert (seen[..., 3] == ALPHA).all()


def test_palette_that_is_too_short(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", PLACES.tobytes(), tags={262: [3], 320: [7] * 48})
    for lazy_above in (0, 2**28):
        with pytest.raises(ImageFileError, match="256 colours"):
            np.asarray(read_image(path, lazy_above=lazy_above).array)


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["zlib", "lzma"])
@pytest.mark.parametrize("lazy_above", [0, 2**28])
def test_strips_that_become_more_than_the_page(tmp_path: Path, codec: str, lazy_above: int) -> None:
    """Half a gigabyte of zeros in a strip of 384 bytes."""
    import lzma

    bomb = (zlib if codec == "zlib" else lzma).compress(bytes(2**26))
    tags = {262: [1], 259: [8 if codec == "zlib" else 34925]}
    path = tiff(tmp_path / "a.tif", bomb, tags=tags)
    with pytest.raises(ImageFileError, match="unpacks to more"):
        np.asarray(read_image(path, lazy_above=lazy_above).array)


@pytest.mark.parametrize("bits", [17, 32, 129, 32773, 65535])
def test_palettes_of_unlikely_depth(tmp_path: Path, bits: int) -> None:
    """Two to the power of their bits is no number of colours to be listed."""
    path = tiff(tmp_path / "a.tif", PLACES.tobytes(), tags={258: [bits], 262: [3], 320: [7] * 48})
    with pytest.raises(ImageFileError):
        np.asarray(read_image(path).array)


def test_strips_that_claim_more_than_the_file(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", b"x\x9c" * 9, tags={262: [1], 259: [8], 279: [2**31]})
    with pytest.raises(ImageFileError, match="claims 2,147,483,648 bytes, and the file has"):
        read_image(path)


def test_sets_of_compressed_files(tmp_path: Path) -> None:
    import tifffile

    planes = RANDOM.integers(0, 4000, (3, 16, 24), np.uint16)
    names = [f"{n}.ome.tif" for n in range(3)]
    blocks = "".join(
        f'<TiffData FirstZ="{n}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:'
        f"00000000-0000-0000-0000-00000000000{n}</UUID></TiffData>"
        for n, name in enumerate(names)
    )
    described = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:00000000-0000-0000-0000-000000000000"><Image ID="Image:0"><Pixels '
        'ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="24" SizeY="16" SizeZ="3" '
        f'SizeC="1" SizeT="1"><Channel ID="Channel:0:0"/>{blocks}</Pixels></Image></OME>'
    )
    for number, name in enumerate(names):
        text = described.replace(
            'UUID="urn:uuid:00000000-0000-0000-0000-000000000000"',
            f'UUID="urn:uuid:00000000-0000-0000-0000-00000000000{number}"',
        )
        options = {"compression": "zlib", "photometric": "minisblack", "metadata": None}
        tifffile.imwrite(tmp_path / name, planes[number], description=text, **options)
    assert (both(tmp_path / names[0]) == planes).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("count", [1500, 65535])
def test_directories_that_lie_in_each_other(tmp_path: Path, order: str, count: int) -> None:
    """The next page begins in the pixels, where thousands of tags seem to be."""
    path = tiff(
        tmp_path / "a.tif", RANDOM.bytes(9000), size=(90, 100), tags={262: [1]}, order=order
    )
    assert read_image(path).array.shape == (100, 90)
    data = bytearray(path.read_bytes())
    (tags,) = struct.unpack_from(f"{order}H", data, 8)
    place = len(data) - 9000
    struct.pack_into(f"{order}I", data, 10 + 12 * tags, place)
    struct.pack_into(f"{order}H", data, place, count)
    path.write_bytes(data)
    with pytest.raises(ImageFileError, match="directories lie in each other"):
        read_image(path)


def test_directories_below_others_and_many_pages(tmp_path: Path) -> None:
    import tifffile

    planes = RANDOM.integers(0, 4000, (40, 16, 24), np.uint16)
    for big in (False, True):
        path = tmp_path / f"{big}.tif"
        with tifffile.TiffWriter(path, bigtiff=big) as writer:
            for plane in planes:
                writer.write(plane, subifds=2, metadata=None, contiguous=False)
                for step in (2, 4):
                    writer.write(plane[::step, ::step], subfiletype=1, metadata=None)
        assert (both(path) == planes).all()


def outcome(path: Path, lazy_above: int) -> tuple[NDArray[np.generic] | None, str]:
    """Pixels, or the sentence that refuses them."""
    try:
        return np.asarray(read_image(path, lazy_above=lazy_above).array), ""
    except ImageFileError as error:
        return None, str(error)


def packed(values: NDArray[Any], bits: int) -> bytes:
    """Pack samples without gaps, rows on whole bytes, highest bit first."""
    rows = []
    for row in values:
        text = "".join(f"{int(value):0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(rows)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_bits(tmp_path: Path, bits: int, order: str) -> None:
    """The right values, or the sentence that says what is needed."""
    values = RANDOM.integers(0, 2**bits, (16, 23)).astype(np.uint16)
    tags = {258: [bits], 262: [1]}
    path = tiff(tmp_path / "a.tif", packed(values, bits), size=(23, 16), tags=tags, order=order)
    for lazy_above in (0, 2**28):
        found, said = outcome(path, lazy_above)
        if found is not None:
            np.testing.assert_array_equal(found, values)
            continue
        assert not _codecs()
        assert f"its samples of {bits} bits, packed without gaps, need one more package" in said


@pytest.mark.parametrize(("bits", "kind"), [(24, 1), (20, 1), (12, 2), (24, 2)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_packed_bits_that_nobody_reads_alike(
    tmp_path: Path, bits: int, kind: int, order: str
) -> None:
    values = RANDOM.integers(0, 2**bits, (16, 24))
    tags = {258: [bits], 262: [1], 339: [kind]}
    path = tiff(tmp_path / "a.tif", packed(values, bits), tags=tags, order=order)
    for lazy_above in (0, 2**28):
        _, said = outcome(path, lazy_above)
        form = "uint" if kind == 1 else "int"
        assert f"its samples, {form} of {bits} bits, are not read, or not alike by all pro" in said


def _codecs() -> bool:
    try:
        import imagecodecs  # noqa: F401
    except ImportError:
        return False
    return True


def predicted(values: NDArray[Any]) -> bytes:
    """Rows as the floating-point predictor leaves them: bytes by their weight, and differences."""
    rows = values.astype(values.dtype.newbyteorder(">")).view(np.uint8)
    planes = rows.reshape(len(values), -1, values.itemsize).transpose(0, 2, 1)
    flat = planes.reshape(len(values), -1)
    return np.diff(flat, axis=1, prepend=np.uint8(0)).astype(np.uint8).tobytes()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floating_point_predictor(tmp_path: Path, dtype: str) -> None:
    values = RANDOM.normal(size=(16, 24)).astype(dtype)
    tags = {258: [values.itemsize * 8], 262: [1], 339: [3], 317: [3], 259: [8]}
    path = tiff(tmp_path / "a.tif", zlib.compress(predicted(values)), tags=tags)
    for lazy_above in (0, 2**28):
        found, said = outcome(path, lazy_above)
        if found is not None:
            np.testing.assert_array_equal(found, values)
            continue
        assert not _codecs()
        assert "its predictor (FLOATINGPOINT) needs one more package" in said


@pytest.mark.parametrize("codec", ["jpegxl", "jpegxr", "lerc"])
@pytest.mark.parametrize("size", [(16, 24), (300, 2000), (1000, 10)])
def test_heads_of_young_codecs(codec: str, size: tuple[int, int]) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    values = RANDOM.integers(0, 255, size, np.uint8)
    data = bytes(getattr(imagecodecs, f"{codec}_encode")(values))
    assert claimed_pixels(data) == values.size
    if codec == "jpegxl":
        boxed = bytes(imagecodecs.jpegxl_encode(values, usecontainer=True))
        assert claimed_pixels(boxed) == values.size
    for cut in range(20):
        claimed_pixels(data[:cut])  # raises nothing


HEADS = {
    # Gigabytes, for which each decoder would make room.
    "jpegxl": (50002, b"\xff\x0a" + (6 | (2**30 - 1) << 3 | 1 << 33).to_bytes(12, "little")),
    "jpegxr": (
        34934,
        b"II\xbc\x01" + struct.pack("<IH", 8, 2)
        + struct.pack("<HHII", 0xBC80, 4, 1, 100_000) + struct.pack("<HHII", 0xBC81, 4, 1, 100_000),
    ),
    "lerc": (34887, b"Lerc2 " + struct.pack("<iI3I", 4, 0, 100_000, 100_000, 1) + bytes(40)),
    "lerc of old": (34887, b"CntZImage " + struct.pack("<iiII", 11, 8, 90_000, 90_000)),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("lazy_above", [0, 2**28])
def test_pictures_that_claim_more_than_their_page(
    tmp_path: Path, kind: str, lazy_above: int
) -> None:
    """They are refused before a decoder makes room, whether or not there is one."""
    compression, head = HEADS[kind]
    path = tiff(tmp_path / "a.tif", head + bytes(200), tags={259: [compression], 262: [1]})
    with pytest.raises(ImageFileError, match=r"a piece of it claims [\d,]{13,} pixels"):
        np.asarray(read_image(path, lazy_above=lazy_above).array)
