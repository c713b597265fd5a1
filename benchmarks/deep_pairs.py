"""What minutes of training bring on 16-bit pairs: made-up fluorescence, measured on other images.

``python -m benchmarks.deep_pairs --minutes 5`` writes pairs of 16-bit TIFFs (blurred spots and
filaments; 8 to 40 photons at the brightest, a camera's offset, gain and read noise), fine-tunes a
bundled model on thirty of them, validates on six and measures on eight others: the input, the model
before, and the model after.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter

from napari_anyir.training.config_files import read_config
from napari_anyir.training.evaluation.comparison import write_comparison
from napari_anyir.training.evaluation.evaluate import EvaluationOptions, evaluate
from napari_anyir.training.run.train import train
from napari_anyir.weights import load_model

SIDE = 256
OFFSET, GAIN, READ_NOISE = 100, 30.0, 12


def scene(generator: np.random.Generator) -> np.ndarray:
    """Draw filaments and spots, the brightest about 1."""
    image = np.zeros((SIDE, SIDE))
    for _ in range(generator.integers(4, 10)):  # filaments: cubic Bezier curves
        t = np.linspace(0, 1, 2000)[:, None]
        a, b, c, d = generator.uniform(0, SIDE, (4, 2))
        curve = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t * t * (1 - t) * c + t**3 * d
        at = np.clip(curve.astype(int), 0, SIDE - 1)
        np.add.at(image, (at[:, 0], at[:, 1]), generator.uniform(0.3, 1))
    for _ in range(generator.integers(20, 60)):
        image[tuple(generator.integers(0, SIDE, 2))] += generator.uniform(5, 40)
    image = gaussian_filter(image, 1.3) + 0.15 * gaussian_filter(generator.random((SIDE, SIDE)), 20)
    return image / np.percentile(image, 99.9)


def write_pairs(root: Path, count: int, seed: int) -> Path:
    """Write ``input`` and ``target`` as 16-bit TIFFs."""
    generator = np.random.default_rng(seed)
    for index in range(count):
        light = scene(generator) * generator.uniform(8, 40)
        photons = generator.poisson(light)
        noisy = OFFSET + GAIN * photons + generator.normal(0, READ_NOISE, light.shape)
        for folder, image in (("input", noisy), ("target", OFFSET + GAIN * light)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            pixels = np.clip(np.rint(image), 0, 65535).astype(np.uint16)
            tifffile.imwrite(root / folder / f"{index:02}.tif", pixels)
    return root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        held = write_pairs(root / "held", 6, 1)
        wish = [f"validation.folder={held}", "phases.0.crop=64", "phases.0.batch=4"]
        config = read_config(
            "pairs",
            [*wish, "data.workers=0", f"validation.minutes={options.minutes / 5}"],
            minutes=options.minutes,
            data={"root": write_pairs(root / "train", 30, 0)},
        )
        start = load_model(options.model)
        config = config.model_copy(update={"network": start.config.to_dict()})
        train(config, root / "run", start=start, device=options.device)
        test = write_pairs(root / "test", 8, 2)
        runs = [
            evaluate(
                "pairs", test, model, root / "results", EvaluationOptions(device=options.device)
            )[0]
            for model in (options.model, str(root / "run" / "weights.safetensors"))
        ]
        print(write_comparison(runs, root / "results").markdown())


if __name__ == "__main__":
    main()
