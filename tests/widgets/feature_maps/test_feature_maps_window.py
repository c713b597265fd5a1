"""The docks that look inside, opened from the manifest in a real window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_anyir.widgets.analyses import AnalysesWidget
from napari_anyir.widgets.feature_maps import FeatureMapsWidget
from napari_anyir.widgets.feature_maps.feature_maps_job import is_inside
from napari_anyir.widgets.what_if import WhatIfWidget

pytestmark = pytest.mark.window

DOCKS = {
    "Look inside (DAB feature maps)": FeatureMapsWidget,
    "What if (switch parts off)": WhatIfWidget,
    "Analyses (the paper's figures)": AnalysesWidget,
}


@pytest.fixture
def window(make_napari_viewer):
    """Return a shown viewer with a small image: only that draws real pixels."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    rng = np.random.default_rng(0)
    viewer.add_image(rng.integers(0, 255, (40, 56)).astype(np.uint8), name="photo")
    return viewer


@pytest.mark.parametrize("title", DOCKS)
def test_a_dock_opens_fits_and_runs(window, qtbot, finish, title: str) -> None:
    _, widget = window.window.add_plugin_dock_widget("napari-anyir", title)
    assert isinstance(widget, DOCKS[title])
    qtbot.wait(100)
    assert window.window._qt_window.height() <= 768
    assert widget.minimumSizeHint().height() <= 640
    assert widget.ushape.isVisible()
    assert widget.layer_box.layer.name == "photo"
    finish(widget.model_choice._probe)
    widget.run_button.click()
    assert widget.runner.running
    finish(widget.runner)
    if title.startswith("Look"):
        assert any(is_inside(layer) for layer in window.layers)
        assert widget.table.rowCount() == 2
    elif title.startswith("What"):
        assert "photo what-if" in window.layers
        assert widget.table.rowCount() == 1
    else:
        assert widget.view.widget().isVisible()


def test_a_map_is_drawn_over_the_image(window, qtbot, finish) -> None:
    _, widget = window.window.add_plugin_dock_widget(
        "napari-anyir", "Look inside (DAB feature maps)"
    )
    finish(widget.model_choice._probe)
    widget.ushape.choose(["encoder1.0"])
    for name, box in widget.part_boxes.items():
        box.setChecked(name == "fused")
    widget.run()
    finish(widget.runner)
    window.reset_view()
    qtbot.wait(100)
    with_map = window.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    widget.table.cellWidget(0, 3).click()
    qtbot.wait(100)
    without = window.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    grey = np.ptp(without, axis=-1).max()
    assert grey < 3  # the image has no colours; the map has
    coloured = np.ptp(with_map, axis=-1) > 20
    image = without.max(axis=-1) > 0
    assert image.mean() > 0.1
    assert coloured[image].mean() > 0.5
    assert coloured[~image].mean() < 0.02  # it ends where the image ends


def test_closing_the_dock_stops_the_look_and_puts_the_grid_back(window, qtbot, finish) -> None:
    _, widget = window.window.add_plugin_dock_widget(
        "napari-anyir", "Look inside (DAB feature maps)"
    )
    finish(widget.model_choice._probe)
    widget.run()
    finish(widget.runner)
    widget.side_box.setChecked(True)
    assert widget.side_by_side.active
    widget.run()
    runner = widget.runner
    widget.close()
    assert not widget.side_by_side.active
    finish(runner)
