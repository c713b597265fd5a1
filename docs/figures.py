"""Draw the figures of the site: ``python docs/figures.py [NAME ...]``.

All numbers in them are computed when they are drawn, with the bundled weights and samples.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from numpy.typing import NDArray

import napari_anyir
from napari_anyir.samples import SAMPLES

IMAGES = Path(__file__).parent / "images"
BLUE, ORANGE, GREY = "#1f6fb2", "#d9741a", "#666666"

# The way of a pixel: what happens, where it stands, and what is decided there.
WAY = (
    (
        "open",
        "files/images.py",
        "a file or a layer becomes an array\nwith axes; nothing is read yet",
    ),
    (
        "axes",
        "inference/arrays/axes.py",
        "which axes are planes, colours,\nchannels; the rest are repeated",
    ),
    (
        "prepare",
        "inference/preparation.py",
        "which network, device and precision; whole,\nstrips or tiles: once, before any plane",
    ),
    (
        "intensity",
        "inference/arrays/intensity.py",
        "one mapping for the whole volume:\nwhich values are 0 and 1",
    ),
    (
        "network",
        "inference/engine/execution.py",
        "plane by plane through the blocks;\nprogress, cancel, halving if memory ends",
    ),
    (
        "back",
        "inference/arrays/plane_reading.py",
        "mapped back, blended by strength,\nrounded, to the type it had",
    ),
    (
        "keep",
        "atomic_writing.py",
        "written under another name and\nrenamed; or a new layer, with its record",
    ),
)


SUMS = "q kᵀ, |q|, |k|\nmean and deviation\nof each channel\n\na few numbers,\nwhatever the size"


def save(figure: plt.Figure, name: str) -> None:
    path = IMAGES / f"{name}.png"
    figure.savefig(path, dpi=110, bbox_inches="tight", pil_kwargs={"optimize": True})
    plt.close(figure)
    print(path)


def pixel_way() -> None:
    """Draw the rooms that a pixel passes, in their order."""
    figure, axes = plt.subplots(figsize=(7.2, 7.4))
    axes.set(xlim=(0, 8), ylim=(-len(WAY) + 0.35, 0.65))
    axes.axis("off")
    for row, (title, path, what) in enumerate(WAY):
        colour = ORANGE if title == "network" else BLUE
        axes.add_patch(
            FancyBboxPatch(
                (0.2, -row - 0.3), 1.9, 0.6, boxstyle="round,pad=0.04", color=colour, alpha=0.92
            )
        )
        axes.text(1.15, -row, title, ha="center", va="center", color="white", fontsize=13)
        axes.text(2.5, -row + 0.09, what, va="center", fontsize=10.5)
        axes.text(2.5, -row - 0.33, path, va="center", fontsize=8, family="monospace", color=GREY)
        if row:
            axes.add_patch(
                FancyArrowPatch(
                    (1.15, -row + 0.66),
                    (1.15, -row + 0.35),
                    arrowstyle="-|>",
                    mutation_scale=14,
                    color=GREY,
                )
            )
    save(figure, "pixel-way")


def strips() -> None:
    """Draw the two visits of a block: one that adds up, one that applies."""
    image, _ = SAMPLES["rain"].read()
    height, width = image.shape[:2]
    bands = np.linspace(0, height, 6)
    figure, panels = plt.subplots(1, 2, figsize=(10.5, 3.9))
    box = {"boxstyle": "round", "fc": "white", "ec": BLUE}
    titles = (
        "first visit: each window adds to sums over all pixels",
        "second visit: the same sums for every window",
    )
    for visit, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        panel.imshow(image)
        panel.set_title(title, fontsize=10.5)
        panel.axis("off")
        panel.set_xlim(0, 1.75 * width)
        for band, (top, bottom) in enumerate(pairwise(bands)):
            panel.add_patch(
                Rectangle((0, top), width, bottom - top, fill=False, color="white", lw=1.2)
            )
            there = ((width, (top + bottom) / 2), (1.17 * width, height / 2))
            panel.add_patch(
                FancyArrowPatch(
                    *(there if visit == 0 else there[::-1]),
                    arrowstyle="-|>",
                    mutation_scale=11,
                    color=GREY,
                    lw=0.9,
                )
            )
            if band == 2:  # with its halo
                panel.add_patch(Rectangle((0, top), width, bottom - top, color=ORANGE, alpha=0.45))
                halo = {"color": ORANGE, "alpha": 0.9, "lw": 0, "hatch": "//", "fill": False}
                for place in (top - 8, bottom):
                    panel.add_patch(Rectangle((0, place), width, 8, **halo))
        panel.text(1.47 * width, height / 2, SUMS, ha="center", va="center", fontsize=8.5, bbox=box)
    save(figure, "strips")


def strips_exact() -> None:
    """Draw how far strips and tiles are from the whole image, for nano."""
    image, _ = SAMPLES["rain"].read()
    pixels = image.astype(np.float32) / 255

    def run(tile: int | None) -> NDArray[np.float32]:
        return napari_anyir.restore(pixels, model="nano", tile=tile, intensity=(0.0, 1.0))

    import torch

    network = napari_anyir.load_model("nano").eval()
    with torch.inference_mode():
        planes = torch.from_numpy(pixels).movedim(-1, 0)[None]
        whole = network(planes)[0].movedim(0, -1).clamp(0, 1).numpy()
    figure, panels = plt.subplots(1, 3, figsize=(12.5, 2.6), layout="constrained")
    panels[0].imshow(whole)
    panels[0].set_title("the whole image, plain network", fontsize=10)
    for panel, name, tile in ((panels[1], "strips", None), (panels[2], "tiles of 96", 96)):
        difference = np.abs(np.clip(run(tile), 0, 1) - whole).mean(axis=-1)
        shown = panel.imshow(difference, cmap="magma", vmin=0, vmax=0.02)
        panel.set_title(f"{name}: at most {difference.max():.1e}", fontsize=10)
    figure.colorbar(shown, ax=panels, shrink=0.9, label="difference, of 1")
    for panel in panels:
        panel.axis("off")
    save(figure, "strips-exact")


def micrograph() -> None:
    """Draw what one should look at before one believes a restored micrograph."""
    noisy, clean = SAMPLES["micrograph"].read()
    restored = napari_anyir.restore(noisy)
    low, high = np.percentile(clean, (0.5, 99.8))
    figure, panels = plt.subplots(2, 3, figsize=(11.5, 7))
    for panel, pixels, title in zip(
        panels[0], (noisy, restored, clean), ("as recorded", "restored", "the truth"), strict=True
    ):
        panel.imshow(pixels, cmap="gray", vmin=low, vmax=high)
        panel.set_title(f"{title}: mean {pixels.mean():.1f}", fontsize=10)
        panel.axhline(128, color=ORANGE, lw=0.8)
    taken = noisy.astype(float) - restored
    spread = 3 * taken.std()
    panels[1, 0].imshow(taken, cmap="coolwarm", vmin=-spread, vmax=spread)
    panels[1, 0].set_title(f"what was taken off: mean {taken.mean():+.2f}", fontsize=10)
    for pixels, colour, name in (
        (noisy, "0.75", "recorded"),
        (clean, "black", "truth"),
        (restored, ORANGE, "restored"),
    ):
        panels[1, 1].plot(pixels[128, 40:200], color=colour, lw=1.1, label=name)
    panels[1, 1].set_title("along the line", fontsize=10)
    panels[1, 1].legend(fontsize=8)
    edges = np.percentile(restored, np.linspace(0, 100, 13))
    which = np.digitize(restored, edges[1:-1])
    means = [(restored[which == k].mean(), taken[which == k].mean()) for k in range(12)]
    panels[1, 2].plot(*np.transpose(means), "o-", color=BLUE)
    panels[1, 2].axhline(0, color=GREY, lw=0.8)
    panels[1, 2].set_ylim(-0.05 * noisy.mean(), 0.05 * noisy.mean())
    panels[1, 2].set(xlabel="restored value", ylabel="mean of what was taken off")
    panels[1, 2].set_title("does brightness move? (5 % of the mean, either way)", fontsize=10)
    for panel in (*panels[0], panels[1, 0]):
        panel.axis("off")
    figure.tight_layout()
    save(figure, "micrograph-checks")


FIGURES = {maker.__name__: maker for maker in (pixel_way, strips, strips_exact, micrograph)}


def main(names: list[str]) -> None:
    """Draw all figures, or those that are named."""
    for name in names or FIGURES:
        FIGURES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
