"""Resident memory while one layer is restored and its result deleted, again and again.

``python -m benchmarks.leaks`` (on a screen, or in ``xvfb-run -a``) opens napari with a noisy image
of 128 x 128 pixels, restores it 50 times through the *Restore image* widget, deletes each result,
and prints the resident memory after each. The first runs load torch, weights and canvas; what
counts is the slope over the second half, in megabytes per run, beside the megabytes that each run
adds and that must go again.

``--plain`` adds and deletes copies of the image instead, without any restoration: what napari keeps
by itself. ``--runs 50 --size 128`` are the defaults; ``--json FILE`` writes the numbers. It needs
``psutil``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.responsiveness import wait

MEGABYTE = 1024 * 1024


def measure(runs: int, size: int, model: str, *, plain: bool) -> dict[str, Any]:
    """Restore and delete, and return the resident memory after each run in megabytes."""
    import napari

    process = psutil.Process()
    image = np.random.default_rng(0).integers(0, 255, (size, size), np.uint8)
    viewer = napari.Viewer(show=True)
    layer = viewer.add_image(image, name="noise")
    _, widget = viewer.window.add_plugin_dock_widget("napari-anyir", "Restore image")
    widget.form.layer_box.choose(layer)
    widget.form.model_box.setCurrentText(model)
    widget.form.device_box.setCurrentText("cpu")
    wait(lambda: not widget.form._probe.running, 120)
    before = process.memory_info().rss / MEGABYTE
    resident = []
    for _ in range(runs):
        if plain:
            viewer.add_image(image.copy(), name="copy", contrast_limits=(0, 255))
        else:
            widget.run_button.click()
            wait(lambda: not widget.runner.running, 600)
        result = viewer.layers[-1]
        if result is layer:
            raise RuntimeError(f"The restoration failed: {widget.status_label.text()}")
        viewer.layers.remove(result)
        del result
        wait(lambda: False, 0.1)
        gc.collect()
        resident.append(round(process.memory_info().rss / MEGABYTE, 1))
        print(f"run {len(resident):>3}: {resident[-1]:.1f} MB", flush=True)
    viewer.close()
    half = resident[len(resident) // 2 :]
    slope = float(np.polyfit(np.arange(len(half)), half, 1)[0]) if len(half) > 1 else 0.0
    return {
        "size": size,
        "plain": plain,
        "before": round(before, 1),
        "resident": resident,
        "slope": round(slope, 4),
        "result": round(image.nbytes / MEGABYTE, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory over many restorations of one layer.")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--size", type=int, default=128, help="pixels of a side")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--plain", action="store_true", help="add and delete only, for comparison")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as settings:
        os.environ["NAPARI_CONFIG"] = str(Path(settings) / "settings.yaml")
        result = measure(chosen.runs, chosen.size, chosen.model, plain=chosen.plain)
    resident = result["resident"]
    print(
        f"Before: {result['before']:.1f} MB. After the first run: {resident[0]:.1f} MB, half of "
        f"them: {resident[len(resident) // 2 - 1]:.1f} MB, all: {resident[-1]:.1f} MB; "
        f"{result['slope']:+.3f} MB per run over the second half, and a result is "
        f"{result['result']:.3f} MB."
    )
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
