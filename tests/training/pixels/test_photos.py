"""Photographs as 8-bit RGB, or a sentence why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_anyir.training.pixels.photos import PhotoBank, find_photos, read_rgb


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_8_bit_kind_becomes_rgb(tmp_path: Path, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(5, 7, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert(mode)
    if mode in ("LA", "RGBA"):
        picture.putalpha(7)  # colours below are kept, whatever the alpha
    picture.save(tmp_path / "a.png")
    read = read_rgb(tmp_path / "a.png")
    assert (read.shape, read.dtype) == ((5, 7, 3), np.uint8)
    expected = picture.convert("RGBA").convert("RGB") if mode != "LA" else picture.convert("L")
    assert np.array_equal(read, np.asarray(expected.convert("RGB")))
    if mode in ("RGB", "RGBA"):
        assert np.array_equal(read, pixels)


def test_what_is_no_8_bit_photograph_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep.png' is of mode I;16"):
        read_rgb(tmp_path / "deep.png")
    frames = [Image.new("RGB", (4, 4), (i, 0, 0)) for i in range(3)]
    frames[0].save(tmp_path / "stack.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"3 frame\(s\)"):
        read_rgb(tmp_path / "stack.tif")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        read_rgb(tmp_path / "text.png")
    with pytest.raises(FileNotFoundError):
        read_rgb(tmp_path / "absent.png")


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", quality=95)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a.jpg' cannot be read .*truncated"):
        read_rgb(tmp_path / "a.jpg")


def test_photographs_are_found_in_any_letter_case_and_hidden_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    # ._a.png is what macOS leaves beside an image in an archive.
    for name in ("b.JPG", "in/a.png", "notes.txt", "in/._a.png", ".hidden.png"):
        (tmp_path / name).touch()
    assert [path.name for path in find_photos(tmp_path)] == ["b.JPG", "a.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="No images"):
        find_photos(tmp_path / "empty")


def test_each_crop_of_a_batch_is_turned_by_itself(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:64, :64].astype(np.uint8)
    Image.fromarray(np.stack([rows, columns, rows], -1)).save(tmp_path / "ramp.png")
    crops = PhotoBank([tmp_path / "ramp.png"]).crops(32, 64, torch.Generator().manual_seed(0))
    steps = (crops[:, :2, 1, 0] - crops[:, :2, 0, 0]) * 255  # along the rows: red, green
    seen = {tuple(step) for step in steps.round().int().tolist()}
    # Down is down, up, right or left in the photograph: all of them within one batch.
    assert seen == {(1, 0), (-1, 0), (0, 1), (0, -1)}
