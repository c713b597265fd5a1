"""The list of layers follows the one that is selected in napari's, until somebody chooses here."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.kit.layer_box import LayerBox
from napari_anyir.widgets.kit.layer_pin import PinnedBox
from napari_anyir.widgets.layers.layer_order import add_above


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    for name in ("a", "b", "c"):
        made.add_image(np.zeros((8, 8)), name=name)
    return made


@pytest.fixture
def row(qtbot, viewer) -> PinnedBox:
    made = PinnedBox(LayerBox(viewer, follows=True))
    qtbot.addWidget(made)
    return made


@pytest.fixture
def box(row) -> LayerBox:
    return row._box


def pick(box: LayerBox, name: str) -> None:
    """Choose as a hand does: Qt tells of that by ``activated``."""
    box.setCurrentText(name)
    box.activated.emit(box.currentIndex())


def test_it_follows_the_selected_layer(box, viewer) -> None:
    assert box.layer.name == "c"
    viewer.layers.selection.active = viewer.layers["a"]
    assert box.layer.name == "a"
    viewer.add_image(np.zeros((8, 8)), name="d")
    assert box.layer.name == "d"
    viewer.add_points(np.zeros((1, 2)))  # is no image
    assert box.layer.name == "d"


def test_a_choice_by_hand_is_pinned_until_it_is_released_or_gone(row, box, viewer) -> None:
    assert row.pin.isHidden()
    pick(box, "b")
    assert not row.pin.isHidden()
    viewer.layers.selection.active = viewer.layers["a"]
    assert box.layer.name == "b"
    row.pin.click()
    assert box.layer.name == "a"
    assert row.pin.isHidden()
    pick(box, "b")
    viewer.layers.remove("b")
    assert row.pin.isHidden()
    assert not box.pinned


def test_it_does_not_jump_to_a_result(box, viewer) -> None:
    viewer.layers.selection.active = viewer.layers["a"]
    chosen = []
    box.layer_changed.connect(lambda: chosen.append(box.layer.name))
    record = {"napari_anyir": {"source": "a"}}
    add_above(viewer, viewer.layers["a"], np.zeros((8, 8)), {"name": "r", "metadata": record})
    assert box.layer.name == "a"
    assert chosen == []
    assert viewer.layers.selection.active.name == "a"


def test_others_do_not_follow(qtbot, viewer) -> None:
    box = LayerBox(viewer)
    qtbot.addWidget(box)
    viewer.layers.selection.active = viewer.layers["a"]
    assert box.layer.name == "c"
