"""Decoded images: equal in all ways, fresh, whole, and chosen by their size."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave

from napari_anyir.training.pixels import cache
from napari_anyir.training.pixels import photos as reading
from napari_anyir.training.pixels.cache import (
    DirectImages,
    MemoryImages,
    decoded_bytes,
    open_images,
)
from napari_anyir.training.pixels.cache_file import CachedImages, open_cache


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    paths = []
    for number in range(12):
        paths.append(folder / f"{number}.png")
        shape = (8 + number, 20 - number, 3)
        imsave(paths[-1], generator.integers(256, size=shape, dtype=np.uint8))
    return paths


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """List the files that are decoded from now on."""
    seen: list[Path] = []
    read = reading.read_rgb

    def watched(path: Path) -> np.ndarray:
        seen.append(path)
        return read(path)

    monkeypatch.setattr(reading, "read_rgb", watched)
    return seen


def test_all_ways_give_the_same_pixels(photos: list[Path], tmp_path: Path) -> None:
    ways = [MemoryImages(photos, threads=3), open_cache(tmp_path / "a" / "pixels", photos)]
    for path in photos:
        expected = DirectImages().read(path)
        for way in ways:
            assert np.array_equal(way.read(path), expected)
    with pytest.raises(KeyError):
        ways[1].read(tmp_path / "other.png")


def test_a_cache_is_used_again_and_nothing_is_decoded(
    photos: list[Path], tmp_path: Path, decoded: list[Path]
) -> None:
    open_cache(tmp_path / "pixels", photos)
    assert sorted(decoded) == sorted(photos)
    decoded.clear()
    assert len(open_cache(tmp_path / "pixels", photos)) == 12
    assert not decoded


def test_stale_entries_are_decoded_anew_and_only_they(
    photos: list[Path], tmp_path: Path, decoded: list[Path]
) -> None:
    before = open_cache(tmp_path / "pixels", photos[:10])
    imsave(photos[3], np.full((5, 6, 3), 9, np.uint8), check_contrast=False)
    status = photos[4].stat()
    os.utime(photos[4], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert before.stale(photos) == [photos[3], photos[4], photos[10], photos[11]]
    decoded.clear()
    after = open_cache(tmp_path / "pixels", photos)
    assert sorted(decoded) == sorted([photos[3], photos[4], photos[10], photos[11]])
    assert after.stale(photos) == []
    for path in photos:
        assert np.array_equal(after.read(path), DirectImages().read(path))


def test_images_of_another_protocol_stay_unless_they_are_gone(
    photos: list[Path], tmp_path: Path
) -> None:
    open_cache(tmp_path / "pixels", photos[:4])
    photos[0].unlink()
    after = open_cache(tmp_path / "pixels", photos[4:])
    assert len(after) == 11
    assert np.array_equal(after.read(photos[1]), DirectImages().read(photos[1]))


def test_nothing_is_left_of_a_cache_that_could_not_be_made(
    photos: list[Path], tmp_path: Path
) -> None:
    whole = open_cache(tmp_path / "pixels", photos[:3])
    photos[5].write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"'.*5.png' cannot be read as an image"):
        open_cache(tmp_path / "pixels", photos)
    assert not list(tmp_path.glob("*.part"))
    # what was there is still whole
    assert len(CachedImages(tmp_path / "pixels")) == 3
    assert whole.stale(photos[:3]) == []


@pytest.mark.parametrize("damage", ["short", "magic", "cut", "unfinished"])
def test_a_damaged_cache_is_told_and_made_anew(
    photos: list[Path], tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "pixels"
    open_cache(file, photos)
    content = file.read_bytes()
    file.write_bytes(
        {
            "short": content[:7],
            "magic": b"x" + content[1:],
            "cut": content[:-9],
            "unfinished": bytes(16) + content[16:],
        }[damage]
    )
    with pytest.raises(ValueError, match="no whole cache"):
        CachedImages(file)
    assert len(open_cache(file, photos)) == 12
    assert "is damaged and is made anew" in caplog.text


def test_a_pickled_cache_opens_the_file_and_carries_no_pixels(tmp_path: Path) -> None:
    photo = tmp_path / "large.png"
    imsave(photo, np.zeros((300, 300, 3), np.uint8), check_contrast=False)
    carried = pickle.dumps(open_cache(tmp_path / "pixels", [photo]))
    assert len(carried) < 2000
    assert pickle.loads(carried).read(photo).shape == (300, 300, 3)


def test_pixels_of_a_cache_cannot_be_written_to(photos: list[Path], tmp_path: Path) -> None:
    image = open_cache(tmp_path / "pixels", photos).read(photos[0])
    with pytest.raises(ValueError, match="read-only"):
        image[:] = 0


def test_sizes_are_estimated_from_headers(photos: list[Path]) -> None:
    exact = sum(DirectImages().read(path).size for path in photos)
    assert decoded_bytes(photos) == exact
    assert decoded_bytes([]) == 0


def test_the_way_is_chosen_by_size(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = decoded_bytes(photos)
    file = tmp_path / "new" / "folder" / "pixels"
    monkeypatch.setattr(cache.torch.multiprocessing, "get_start_method", lambda: "fork")
    assert isinstance(open_images(photos, cache=file, free=2 * needed), MemoryImages)
    assert isinstance(open_images(photos, cache=file, free=2 * needed - 2), CachedImages)
    assert isinstance(open_images(photos, free=needed), DirectImages)
    # each of several processes has a memory of its own
    for free, expected in ((4 * needed, MemoryImages), (4 * needed - 2, DirectImages)):
        assert isinstance(open_images(photos, processes=2, free=free), expected)
    # a worker that does not share memory would get a copy
    monkeypatch.setattr(cache.torch.multiprocessing, "get_start_method", lambda: "spawn")
    assert isinstance(open_images(photos, cache=file, free=2 * needed), CachedImages)


def test_a_full_disk_is_seen_before_it_is_full(
    photos: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage)
    with caplog.at_level(logging.WARNING):
        assert isinstance(open_images(photos, cache=tmp_path / "p", free=0), DirectImages)
    assert "more than is free" in caplog.text


def test_ways_by_name(photos: list[Path], tmp_path: Path) -> None:
    assert isinstance(open_images(photos, mode="decode"), DirectImages)
    assert isinstance(open_images(photos, mode="memory"), MemoryImages)
    assert isinstance(open_images(photos, mode="file", cache=tmp_path / "p"), CachedImages)
    with pytest.raises(ValueError, match="Name the file"):
        open_images(photos, mode="file")
    with pytest.raises(ValueError, match="not 'disk'"):
        open_images(photos, mode="disk")  # type: ignore[arg-type]
