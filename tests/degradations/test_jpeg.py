from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut

from napari_anyir.degradations import Jpeg
from napari_anyir.degradations.jpeg import quantisation_table


def photo(height: int, width: int) -> torch.Tensor:
    """Part of a photograph that scikit-image carries."""
    cut = astronaut()[100 : 100 + height, 150 : 150 + width].copy()
    return torch.from_numpy(cut).permute(2, 0, 1).unsqueeze(0).float() / 255


def encoded(image: torch.Tensor, quality: int, subsampling: int) -> torch.Tensor:
    array = (255 * image[0]).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    decoded = np.asarray(Image.open(buffer)).copy()
    return torch.from_numpy(decoded).permute(2, 0, 1).unsqueeze(0).float() / 255


@pytest.mark.parametrize(("name", "number"), [("4:4:4", 0), ("4:2:0", 2)])
@pytest.mark.parametrize("quality", [10, 50, 90])
@pytest.mark.parametrize("size", [(64, 96), (53, 75)])
def test_it_decodes_as_the_common_library_does(name, number, quality, size):
    image = photo(*size)
    ours = Jpeg(quality=quality, subsampling=name)(image, torch.Generator())
    theirs = encoded(image, quality, number)
    apart = (ours - theirs).square().mean().sqrt()
    loss = (theirs - image).square().mean().sqrt()
    assert 255 * apart < 1.3
    assert apart < 0.4 * loss


def test_the_table_at_quality_50_is_that_of_the_standard():
    table = quantisation_table(torch.full((1, 1, 1, 1), 50.0))[0, 0]
    assert table[0, 0] == 16
    assert table[7, 7] == 99
    assert quantisation_table(torch.full((1, 1, 1, 1), 100.0)).unique().tolist() == [1.0]
    assert quantisation_table(torch.ones(1, 1, 1, 1)).unique().tolist() == [255.0]


def test_the_best_quality_is_close_to_the_image():
    image = photo(48, 48)
    best = Jpeg(quality=100.0, subsampling="4:4:4")(image, torch.Generator())
    assert 255 * (best - image).abs().max() < 4.5


def test_each_image_has_its_own_quality():
    images = photo(64, 64).expand(12, 3, 64, 64)
    loss = (Jpeg()(images, torch.Generator().manual_seed(0)) - images).square().mean(dim=(1, 2, 3))
    assert loss.max() > 2 * loss.min()


def test_halved_colour_loses_colour_detail_only():
    image = torch.full((1, 3, 32, 32), 0.5)
    image[:, 0, :, ::2] = 0.9
    fine, coarse = (
        Jpeg(quality=95.0, subsampling=name)(image, torch.Generator())
        for name in ("4:4:4", "4:2:0")
    )
    assert (coarse - image).abs().mean() > 3 * (fine - image).abs().mean()
