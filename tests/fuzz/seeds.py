"""Small right files of every kind that is read, to be mutated."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from PIL import Image
from safetensors.torch import save

from napari_anyir.files import ImageFile, write_image
from napari_anyir.model import AnyIR, AnyIRConfig

from mutators import Mutator, edit_chunk, edit_json, edit_tag  # isort: skip

_RANDOM = np.random.default_rng(7)
GREY = _RANDOM.integers(0, 255, (24, 32), np.uint8)
RGB = _RANDOM.integers(0, 255, (24, 32, 3), np.uint8)
DEEP = _RANDOM.integers(0, 60000, (24, 32, 3), np.uint16)
STACK = _RANDOM.integers(0, 4000, (3, 2, 20, 24), np.uint16)

Seed = tuple[str, bytes, tuple[Mutator, ...]]
"""Extension, content, and what is done to it besides flipping bits."""


def _tiff(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def _picture(array: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def _pyramid() -> bytes:
    """Return a page with a smaller one below it."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(DEEP, photometric="rgb", subifds=1, tile=(16, 16), compression="zlib")
        writer.write(DEEP[::2, ::2], photometric="rgb", subfiletype=1, tile=(16, 16))
    return stream.getvalue()


def _with_imagecodecs() -> list[bytes]:
    """Return pages compressed in ways that need one more package; none where it is missing."""
    try:
        import imagecodecs  # noqa: F401
    except ImportError:
        return []
    kinds = ("lzw", "jpeg", "jpeg2000", "webp", "png", "zstd", "lerc", "jpegxl", "jpegxr")
    made = [_tiff(RGB, compression=kind, tile=(16, 16)) for kind in kinds]
    deep = _tiff(DEEP.astype(np.float32), compression="zlib", predictor=3, tile=(16, 16))
    return [*made, deep, _tiff(STACK, compression="lzma", photometric="minisblack")]


def _animation() -> bytes:
    stream = io.BytesIO()
    frames = [Image.fromarray(frame) for frame in (RGB, RGB[::-1])]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def files(folder: Path) -> list[Seed]:
    """Return files of one piece."""
    npy, big = io.BytesIO(), io.BytesIO()
    np.save(npy, STACK)
    np.save(big, np.asfortranarray(GREY.astype(">f4")))
    deep = write_image(folder / "deep.png", DEEP).read_bytes()
    palette = Image.fromarray(RGB).quantize(32)
    streams = {kind: io.BytesIO() for kind in ("PNG", "GIF")}
    for kind, stream in streams.items():
        palette.save(stream, kind)
    ome = {"axes": "ZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "description"
    config = AnyIRConfig(dim=4, blocks=(1, 1, 1, 1), refinement=0, heads=(1, 1, 1, 1))
    tensors = {name: value.contiguous() for name, value in AnyIR(config).state_dict().items()}
    torch_file = io.BytesIO()
    torch.save({"state_dict": tensors}, torch_file)
    said = {"format": "pt", "config": json.dumps(config.to_dict())}
    card = {"name": "x", "file": "x.safetensors", "config": config.to_dict(), "measured": {"a": {}}}
    recipe = "name: mine\nnetwork: {dim: 8, blocks: [1, 1, 1, 1], refinement: 1}\nsteps: 10\n"
    tag, png = (edit_tag,), (edit_chunk,)
    return [
        *((".tif", content, tag) for content in _with_imagecodecs()),
        (".tif", _tiff(GREY, metadata=None), tag),
        (".tif", _tiff(RGB, compression="zlib", predictor=True), tag),
        (".tif", _tiff(STACK, photometric="minisblack", compression="zlib"), tag),
        (".tif", _tiff(GREY, tile=(16, 16), photometric="miniswhite", metadata=None), tag),
        (".tif", _tiff(STACK[0], imagej=True, metadata={"axes": "CYX", "spacing": 2.0}), tag),
        (".tif", _tiff(GREY, photometric="palette", colormap=np.zeros((3, 256), np.uint16)), tag),
        (".tif", _tiff(RGB.transpose(2, 0, 1), planarconfig="separate", photometric="rgb"), tag),
        (".tif", _tiff(GREY.astype(np.float32), resolution=(300, 300), bigtiff=True), ()),
        (".ome.tif", _tiff(STACK, ome=True, metadata=ome, photometric="minisblack"), tag),
        (".tif", _tiff(STACK, byteorder=">", compression="lzma", photometric="minisblack"), tag),
        (".tif", _tiff(GREY.astype(np.float16), extratags=[(42113, 2, 4, "-9.9", True)]), tag),
        (".tif", _picture(RGB, "TIFF", compression="tiff_lzw"), tag),
        (".tif", _picture(RGB, "TIFF", compression="jpeg"), tag),
        (".tif", _picture(GREY > 99, "TIFF", compression="group4"), tag),
        (".tif", _picture(GREY, "TIFF", compression="packbits"), tag),
        (".tif", _pyramid(), tag),
        (".png", _animation(), png),
        (".png", _picture(GREY, "PNG"), png),
        (".png", _picture(RGB, "PNG", dpi=(300, 300), exif=exif.tobytes()), png),
        (".png", _picture(GREY.astype(np.uint16) * 200, "PNG"), png),
        (".png", deep, png),
        (".png", streams["PNG"].getvalue(), png),
        (".jpg", _picture(RGB, "JPEG", exif=exif.tobytes()), ()),
        (".jpg", _picture(GREY, "JPEG", progressive=True), ()),
        (".bmp", _picture(RGB, "BMP"), ()),
        (".png", streams["GIF"].getvalue(), ()),
        (".webp", _picture(RGB, "WEBP", lossless=True), ()),
        (".webp", _picture(RGB, "WEBP"), ()),
        (".npy", npy.getvalue(), ()),
        (".npy", big.getvalue(), ()),
        (".card.json", json.dumps(card).encode(), (edit_json, edit_json)),
        (".safetensors", save(tensors, said), ()),
        (".pt", torch_file.getvalue(), ()),
        (".yaml", recipe.encode(), ()),
        (".jsonl", b'{"output": "a.png", "output_size": 5, "output_time": 7}\n', (edit_json,)),
    ]


def zarrs(folder: Path) -> list[Path]:
    """Return OME-Zarr and plain Zarr folders."""
    import zarr

    like = ImageFile(STACK, "ZCYX", "npy", scale={"Z": 2.0, "Y": 0.5, "X": 0.5})
    first = write_image(folder / "v04.ome.zarr", STACK, like)
    like5 = ImageFile(STACK, "ZCYX", "zarr", metadata={"version": "0.5"})
    second = write_image(folder / "v05.ome.zarr", STACK, like5)
    places = [first, second]
    from numcodecs import BZ2, Blosc
    from zarr import codecs

    chunked: dict[str, Any] = {"chunks": (16, 16)}
    sharded: dict[str, Any] = {"chunks": (8, 8), "shards": (16, 16)}
    kinds: list[dict[str, Any]] = [
        {"compressors": codecs.GzipCodec(), **chunked},
        {"compressors": codecs.BloscCodec(), **chunked},
        {"compressors": codecs.BloscCodec(cname="lz4"), **sharded},
        {"compressors": Blosc("blosclz"), "zarr_format": 2, **chunked},
        {"compressors": BZ2(), "zarr_format": 2, **chunked},
    ]
    for number, kind in enumerate(kinds):
        path = folder / f"plain{number}.zarr"
        array = zarr.create_array(path, shape=GREY.shape, dtype="uint8", **kind)
        array[...] = GREY
        places.append(path)
    return places
