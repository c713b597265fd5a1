from __future__ import annotations

import pytest
import torch

from napari_anyir.inference.exact.fast_dab import HALO
from napari_anyir.inference.exact.maps import Maps, cut_windows, spare_rows


@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 136), (200, 64), (1000, 328)])
def test_windows_cover_a_level_once_and_start_on_even_pixels(height: int, width: int) -> None:
    seen = torch.zeros(height, width, dtype=torch.int)
    for window in cut_windows(height, width, 64):
        seen[window.top : window.top + window.height, window.left : window.left + window.width] += 1
        assert window.top % 8 == window.left % 8 == 0
        assert 0 < window.height <= 96
        assert 0 < window.width <= 384
    assert bool((seen == 1).all())


@pytest.mark.parametrize("height", [8, 64, 136, 520])
def test_no_output_lands_on_what_an_unfinished_window_still_reads(height: int) -> None:
    maps = Maps(1, height, 64, side=64, device=torch.device("cpu"), dtype=torch.float32)
    for _ in range(2):
        start = maps.slack if maps.at_end else 0
        goal = 0 if maps.at_end else maps.slack
        windows, bands = maps.order()
        for window, band in zip(windows, bands, strict=True):
            written = range(goal + window.top, goal + window.top + window.height)
            # The windows of this band and of the one before may not have read their input yet.
            for other, its_band in zip(windows, bands, strict=True):
                if its_band < band - 1:
                    continue
                first = max(other.top - HALO, 0)
                last = min(other.top + other.height + HALO, height)
                read = range(start + first, start + last)
                assert not set(written) & set(read)
        maps.swap()


def test_the_spare_rows_are_few() -> None:
    assert spare_rows(4096, 64) == 2 * 64 + HALO
    assert spare_rows(40, 64) == 40
