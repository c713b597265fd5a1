"""What the widgets offer as a source, and what not."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.analyses import AnalysesWidget
from napari_anyir.widgets.compare import CompareWidget
from napari_anyir.widgets.compare.compare_widget import WIPE
from napari_anyir.widgets.degrade import DegradeWidget
from napari_anyir.widgets.feature_maps import FeatureMapsWidget
from napari_anyir.widgets.layers.layer_origins import (
    DIFFERENCE,
    INSIDE,
    PREVIEW,
    WHAT_IF,
    is_source,
)
from napari_anyir.widgets.restore import RestoreWidget
from napari_anyir.widgets.what_if import WhatIfWidget

MADE = {
    "fused": {
        INSIDE: {
            "tag": "1",
            "group": "latent.0 of photo",
            "block": "latent.0",
            "part": "fused",
            "tau_adj": [],
            "lambda": 1.0,
        }
    },
    "difference": {DIFFERENCE: ("photo restored", "photo")},
    "trial difference": {WHAT_IF: ("1", "difference"), DIFFERENCE: ("photo what-if", "photo")},
    "preview": {PREVIEW: "AnyIR preview"},
}
KEPT = {
    "photo": {},
    "photo restored": {"napari_anyir": {"source": "photo"}},
    "photo snow": {"napari_anyir": {"source": "photo", "degradation": "snow"}},
    "trial": {WHAT_IF: ("1", "restored"), "napari_anyir": {"source": "photo"}},
}


def test_only_images_to_work_on_are_sources() -> None:
    viewer = ViewerModel()
    for name, metadata in {**MADE, **KEPT}.items():
        layer = viewer.add_image(np.zeros((8, 8)), name=name, metadata=metadata)
        assert is_source(layer) == (name in KEPT)
    assert not is_source(viewer.add_labels(np.zeros((8, 8), int)))


def boxes(widget) -> list:
    names = ("layer_box", "reference_box", "before_box", "after_box")
    owners = [widget, getattr(widget, "form", None)]
    return [getattr(owner, name) for owner in owners for name in names if hasattr(owner, name)]


@pytest.mark.parametrize(
    ("make", "left_out"),
    [
        (RestoreWidget, set()),
        (CompareWidget, set()),
        (DegradeWidget, set()),
        (FeatureMapsWidget, set()),
        (AnalysesWidget, set()),
        (WhatIfWidget, {"trial"}),  # the next trial renews it
    ],
)
def test_lists_of_sources_hold_nothing_that_widgets_drew(qtbot, make, left_out) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((16, 16)), name="photo")
    widget = make(viewer)
    qtbot.addWidget(widget)
    for name, metadata in {**MADE, **KEPT}.items():
        if name != "photo":
            viewer.add_image(np.zeros((16, 16)), name=name, metadata=metadata)
    found = boxes(widget)
    assert found
    for box in found:
        listed = {layer.name for layer in box._layers if layer is not None}
        assert listed == set(KEPT) - left_out


@pytest.mark.parametrize("make", [CompareWidget, WhatIfWidget, AnalysesWidget])
def test_a_reference_starts_on_none_although_an_image_is_active(qtbot, make) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((16, 16)), name="photo")
    viewer.layers.selection.active = layer
    widget = make(viewer)
    qtbot.addWidget(widget)
    assert widget.reference_box.layer is None
    assert widget.reference_box.currentText() == "none"
    viewer.add_image(np.zeros((16, 16)), name="other")
    assert widget.reference_box.layer is None


def test_differences_are_marked(qtbot) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((16, 16)), name="a")
    viewer.add_image(np.ones((16, 16)), name="b")
    widget = CompareWidget(viewer)
    qtbot.addWidget(widget)
    widget.before_box.choose(viewer.layers["a"])
    widget.after_box.choose(viewer.layers["b"])
    widget.add_difference()
    assert tuple(viewer.layers[-1].metadata[DIFFERENCE]) == ("b", "a")
    assert widget.after_box.layer.name == "b"


def test_the_preview_does_not_take_the_wipe_for_its_own(qtbot) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((16, 16)), name="a")
    viewer.add_image(np.ones((16, 16)), name="b")
    restore, compare = RestoreWidget(viewer), CompareWidget(viewer)
    qtbot.addWidget(restore)
    qtbot.addWidget(compare)
    compare.set_mode("&Wipe")
    wipe = next(layer for layer in viewer.layers if WIPE in layer.metadata)
    assert restore.preview.layer is None
    restore.preview.set_enabled(True)
    restore.preview.set_enabled(False)
    assert wipe in viewer.layers
