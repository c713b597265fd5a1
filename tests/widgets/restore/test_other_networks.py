"""Other people's networks in the docks: they restore, and what looks inside says what it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_anyir
from napari_anyir.weights import add_model
from napari_anyir.widgets.feature_maps import FeatureMapsWidget
from napari_anyir.widgets.restore import RestoreWidget

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)


@pytest.fixture
def viewer(foreign: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ViewerModel:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "models"))
    for name in ("SCUNet", "Restormer"):
        foreign.save(name, tmp_path / f"{name.lower()}.pth")
        add_model(tmp_path / f"{name.lower()}.pth")
    made = ViewerModel()
    made.add_image(PIXELS, name="noisy", rgb=True)
    return made


@pytest.mark.parametrize("model", ["scunet", "restormer"])
def test_the_restore_dock_takes_them(
    qtbot: Any, viewer: ViewerModel, finish: Any, model: str
) -> None:
    widget = RestoreWidget(viewer)
    qtbot.addWidget(widget)
    widget.form.model_box.setCurrentText(model)
    widget.form.device_box.setCurrentText("cpu")
    widget.run()
    finish(widget.runner)
    expected = napari_anyir.restore(PIXELS, axes="YXS", model=model, device="cpu")
    np.testing.assert_array_equal(viewer.layers[f"noisy ({model})"].data, expected)
    assert widget.status_label.text().startswith(f"{model} on cpu")


def test_the_look_inside_dock_says_that_it_knows_anyir_only(
    qtbot: Any, viewer: ViewerModel
) -> None:
    widget = FeatureMapsWidget(viewer)
    qtbot.addWidget(widget)
    widget.model_choice.model_box.setCurrentText("scunet")
    qtbot.waitUntil(lambda: "knows AnyIR only" in said(widget), timeout=60_000)
    assert not widget.run_button.isEnabled()


def said(widget: FeatureMapsWidget) -> str:
    from qtpy.QtWidgets import QLabel

    return " ".join(label.text() for label in widget.findChildren(QLabel))
