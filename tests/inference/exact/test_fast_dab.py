from __future__ import annotations

import pytest
import torch

from napari_anyir.inference.exact import fast_dab
from napari_anyir.inference.exact.fast_dab import PreparedDAB
from napari_anyir.inference.exact.maps import cut_windows
from napari_anyir.inference.exact.scratch import Scratch
from napari_anyir.inference.exact.windows import Window, fill_window
from napari_anyir.model import VARIANTS
from napari_anyir.model.blocks import DAB

CPU = torch.device("cpu")


def test_a_window_beyond_the_image_is_zero() -> None:
    source = torch.arange(1.0, 13.0).reshape(1, 3, 4)
    target = torch.full((1, 4, 4), torch.nan)
    fill_window(target, source, Window(0, 2, 2, 2, 3, 4), 1)
    assert target[0].tolist() == [[0, 0, 0, 0], [2, 3, 4, 0], [6, 7, 8, 0], [10, 11, 12, 0]]


@pytest.mark.parametrize("chunk", [1, 3000, fast_dab.CHUNK])
def test_one_block_in_windows_of_any_cut(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """And in any number of rows at a time within a window."""
    monkeypatch.setattr(fast_dab, "CHUNK", chunk)
    torch.manual_seed(0)
    block = DAB(16, 2, VARIANTS["nano"]).eval()
    prepared = PreparedDAB(block, CPU)
    scratch = Scratch(CPU, torch.float32)
    with torch.inference_mode():
        x = torch.randn(1, 16, 45, 31)
        expected = block(x)[0]
        for side in (8, 24, 64):
            windows = cut_windows(45, 31, side)
            sums = prepared.new_sums(len(windows), torch.empty(4, 45, 31))
            for index, window in enumerate(windows):
                prepared.measure(x[0], window, index, sums, scratch)
            settled = prepared.settle(sums)
            result = torch.full_like(expected, torch.nan)
            for window in windows:
                prepared.apply(x[0], result, window, settled, scratch)
            assert (result - expected).abs().max() < 5e-6


def test_channels_that_hardly_vary_keep_their_deviation() -> None:
    # The root of the variance is steep near zero; sums of squares would lose it in rounding.
    torch.manual_seed(0)
    block = DAB(8, 1, VARIANTS["nano"]).eval()
    prepared = PreparedDAB(block, CPU)
    scratch = Scratch(CPU, torch.float32)
    with torch.inference_mode():
        x = torch.randn(1, 8, 1, 1).expand(1, 8, 64, 64) + 1e-4 * torch.randn(1, 8, 64, 64)
        windows = cut_windows(64, 64, 16)
        sums = prepared.new_sums(len(windows), torch.empty(4, 64, 64))
        for index, window in enumerate(windows):
            prepared.measure(x[0], window, index, sums, scratch)
        pixels = sums.pixels[:, None]
        mean = (sums.mean * pixels).sum(0) / pixels.sum()
        variance = (sums.deviation + pixels * (sums.mean - mean) ** 2).sum(0) / pixels.sum()
        gate = block.norm_mixer(x.double().float())[:, 1::2].double()
        normalised = torch.nn.functional.layer_norm(gate.permute(0, 2, 3, 1), (4,), eps=1e-5)
        expected = normalised.flatten(0, 2).var(0, correction=0)
    assert torch.allclose(variance, expected, rtol=1e-2)
