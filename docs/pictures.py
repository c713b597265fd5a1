"""Make the pictures that need no window: ``python docs/pictures.py`` (see screenshots.py).

They show the present state, whatever it is: the bundled samples and the bundled weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

import napari_anyir
from napari_anyir.analysis import contact_sheet
from napari_anyir.cli.sheet import draw_sheet
from napari_anyir.degradations.scenes import SCENES, make_scene
from napari_anyir.inference.image_quality import full_scale, score
from napari_anyir.samples import SAMPLES

IMAGES = Path(__file__).parent / "images"


def sheet(name: str, keys: Sequence[str]) -> None:
    """Draw samples degraded, restored and clean side by side."""
    rows = []
    for key in keys:
        degraded, clean = SAMPLES[key].read()
        images = (degraded, napari_anyir.restore(degraded), clean)
        span = full_scale([clean], clean.dtype)
        before, after = (score([(image, clean)], span) for image in images[:2])
        rows.append((SAMPLES[key].title, images, before, after))
    Image.fromarray(draw_sheet(rows)).save(IMAGES / name, quality=88)


def scenes() -> None:
    """Draw six made scenes of each kind of microscopy."""
    like, generator = torch.zeros(6, 3, 128, 128), torch.Generator().manual_seed(1)
    rows = [
        torch.cat(list(make_scene(like, generator, scene)[:, 0]), dim=1)
        for scene in (*SCENES, "random")
    ]
    pixels = (255 * torch.cat(rows)).round().byte().numpy()
    Image.fromarray(pixels).save(IMAGES / "scenes.png", optimize=True)


def inside() -> None:
    """Draw what the blocks of the decoder see in the rainy sample."""
    degraded, _ = SAMPLES["rain"].read()
    maps = napari_anyir.feature_maps(
        degraded, ["encoder1.0", "latent.0", "decoder2.0", "decoder1.0", "refinement.1"]
    )
    contact_sheet(maps, degraded, napari_anyir.restore(degraded)).save(IMAGES / "inside.png")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    sheet("restored.jpg", ("noise", "rain", "haze", "darkness", "micrograph"))
    sheet("weights-failures.jpg", ("blur", "haze", "mixture", "rain"))
    inside()
    scenes()
