"""The *Look inside* dock against a viewer without a window."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_anyir
from napari_anyir.widgets.feature_maps import FeatureMapsWidget
from napari_anyir.widgets.feature_maps.feature_maps_job import ALL, ONE, PCA, SHOWS, is_inside
from napari_anyir.widgets.feature_maps.feature_maps_widget import SECTION
from napari_anyir.widgets.feature_maps.map_names import block_in_words
from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.layers.layer_origins import INSIDE
from napari_anyir.widgets.layers.viewer import camera, grid

RNG = np.random.default_rng(0)


@pytest.fixture
def remembered(monkeypatch) -> dict[str, dict]:
    """Keep settings in a dictionary: tests must not inherit each other's."""
    kept: dict[str, dict] = {SECTION: {"model": "nano"}}  # the quick one
    monkeypatch.setattr(last_choices, "load", lambda section: dict(kept.get(section, {})))
    monkeypatch.setattr(
        last_choices, "save", lambda section, values: kept.update({section: values})
    )
    return kept


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    made.add_image(RNG.integers(0, 4000, (4, 21, 30)).astype(np.uint16), name="cells")
    made.dims.set_point(0, 1)
    return made


@pytest.fixture
def widget(qtbot, viewer, remembered) -> FeatureMapsWidget:
    made = FeatureMapsWidget(viewer)
    qtbot.addWidget(made)
    made.timer.setInterval(20)
    made.gather_box.setChecked(False)
    made.ushape.choose(["encoder1.0", "latent.0"])
    for name, box in made.part_boxes.items():
        box.setChecked(name in ("alpha", "fused"))
    return made


def run(widget: FeatureMapsWidget, finish) -> None:
    widget.run_button.click()
    finish(widget.runner)


def maps(viewer: ViewerModel) -> list:
    return [layer for layer in viewer.layers if is_inside(layer)]


def show(widget: FeatureMapsWidget, how: str) -> None:
    widget.show_box.setCurrentIndex(list(SHOWS).index(how))


def test_a_look_adds_a_layer_for_each_part(widget, viewer, finish) -> None:
    run(widget, finish)
    names = [
        "encoder 1.0: alpha (scaled)",
        "encoder 1.0: fused",
        "latent 0: alpha (scaled)",
        "latent 0: fused",
    ]
    assert [layer.name for layer in viewer.layers] == ["cells", *names]
    expected = napari_anyir.feature_maps(
        viewer.layers["cells"].data, "latent.0", "fused", axes="ZYX", index=1, model="nano",
        reduce="mean_abs",
    )["latent.0", "fused"]  # fmt: skip
    layer = viewer.layers["latent 0: fused"]
    np.testing.assert_allclose(layer.data, expected.array, rtol=1e-4, atol=1e-5)
    assert tuple(layer.scale) == (1, 16, 16)
    assert tuple(layer.translate) == (1, 7.5, 7.5)
    assert viewer.dims.point[0] == 1
    assert viewer.layers.selection.active.name == "cells"
    assert widget.status_label.text().startswith("4 maps in ")
    # The layers of maps are no images to look into.
    assert widget.layer_box.count() == 1


def test_the_table_tells_the_gates_numbers(widget, viewer, finish) -> None:
    run(widget, finish)
    from napari_anyir.inference import gate_numbers

    numbers = gate_numbers(
        viewer.layers["cells"].data, ["encoder1.0", "latent.0"], axes="ZYX", index=1, model="nano"
    )
    assert widget.table.rowCount() == 2
    for row, number in enumerate(numbers):
        cells = [widget.table.item(row, column).text() for column in range(3)]
        tau = number.tau_adj
        assert cells == [
            block_in_words(number.block),
            f"{number.lam:.3f}",
            f"{tau.mean():.2f} ({tau.min():.2f}–{tau.max():.2f})",
        ]


def test_one_click_removes_a_group(widget, viewer, finish) -> None:
    run(widget, finish)
    widget.table.cellWidget(0, 3).click()
    assert [layer.name for layer in viewer.layers] == [
        "cells",
        "latent 0: alpha (scaled)",
        "latent 0: fused",
    ]
    assert widget.table.rowCount() == 1
    widget.table.item(0, 0).setCheckState(widget.table.item(0, 0).checkState().Unchecked)
    assert not any(layer.visible for layer in maps(viewer))
    widget.table.cellWidget(0, 3).click()
    assert widget.table.rowCount() == 0
    assert len(viewer.layers) == 1


def test_the_table_follows_the_eyes_in_the_list_of_layers(widget, viewer, finish) -> None:
    run(widget, finish)
    states = type(widget.table.item(0, 0).checkState())
    for name, state in (
        ("encoder 1.0: alpha (scaled)", states.PartiallyChecked),
        ("encoder 1.0: fused", states.Unchecked),
    ):
        viewer.layers[name].visible = False
        assert widget.table.item(0, 0).checkState() == state
    assert widget.table.item(1, 0).checkState() == states.Checked


def test_maps_follow_the_slider(widget, viewer, finish, qtbot) -> None:
    run(widget, finish)
    layer = viewer.layers["encoder 1.0: fused"]
    before = layer.data.copy()
    layer.opacity = 0.5
    for index in (2, 3):
        viewer.dims.set_point(0, index)
    qtbot.waitUntil(lambda: layer.translate[0] == 3, timeout=20_000)
    finish(widget.runner)
    assert not np.array_equal(before, layer.data)
    assert layer.opacity == 0.5
    assert len(maps(viewer)) == 4
    assert viewer.dims.point[0] == 3
    expected = napari_anyir.feature_maps(
        viewer.layers["cells"].data, "encoder1.0", "fused", axes="ZYX", index=3, model="nano",
        reduce="mean_abs",
    )["encoder1.0", "fused"]  # fmt: skip
    np.testing.assert_allclose(layer.data, expected.array, rtol=1e-4, atol=1e-5)
    widget.follow_box.setChecked(False)
    viewer.dims.set_point(0, 0)
    qtbot.wait(80)
    assert not widget.runner.running
    assert layer.translate[0] == 3


def test_a_stale_look_is_dropped(widget, viewer, finish, qtbot) -> None:
    run(widget, finish)
    seen: list[float] = []
    layer = viewer.layers["encoder 1.0: fused"]
    layer.events.translate.connect(lambda event: seen.append(float(layer.translate[0])))
    viewer.dims.set_point(0, 2)
    qtbot.waitUntil(lambda: widget.runner.running, timeout=5000)
    viewer.dims.set_point(0, 0)
    widget.timer.stop()
    widget._look_again()  # while the look at plane 2 still runs
    assert widget.runner.stopping
    qtbot.waitUntil(lambda: layer.translate[0] == 0, timeout=20_000)
    assert set(seen) == {0.0}


def test_removed_groups_are_not_made_again(widget, viewer, finish, qtbot) -> None:
    run(widget, finish)
    widget.table.cellWidget(0, 3).click()
    viewer.dims.set_point(0, 2)
    qtbot.waitUntil(
        lambda: viewer.layers["latent 0: alpha (scaled)"].translate[0] == 2, timeout=20_000
    )
    assert {layer.metadata[INSIDE]["block"] for layer in maps(viewer)} == {"latent.0"}
    widget.table.cellWidget(0, 3).click()
    viewer.dims.set_point(0, 3)
    qtbot.wait(80)
    assert not maps(viewer)


def test_an_edit_of_the_image_is_followed(widget, viewer, finish, qtbot) -> None:
    run(widget, finish)
    layer = viewer.layers["encoder 1.0: fused"]
    before = layer.data.copy()
    viewer.layers["cells"].data = viewer.layers["cells"].data[:, ::-1].copy()
    qtbot.waitUntil(lambda: not np.array_equal(layer.data, before), timeout=20_000)


def test_channels_as_colours_one_and_a_stack(widget, viewer, finish) -> None:
    show(widget, PCA)
    run(widget, finish)
    assert all(layer.rgb for layer in maps(viewer))
    show(widget, ALL)
    run(widget, finish)
    assert [layer.data.shape for layer in maps(viewer)][:2] == [(8, 1, 11, 15), (24, 1, 11, 15)]
    assert viewer.dims.ndim == 4
    assert viewer.dims.point[1] == 1
    assert viewer.layers["latent 0: fused"].axis_labels[0] == "channel"
    show(widget, ONE)
    assert not widget.channel_box.isHidden()
    widget.channel_box.setValue(3)
    run(widget, finish)
    assert viewer.layers["latent 0: fused, channel 3"].ndim == 3
    assert len(maps(viewer)) == 4


def test_side_by_side_and_back(widget, viewer, finish, cell_of) -> None:
    viewer.add_image(np.zeros((4, 21, 30)), name="other")
    widget.layer_box.choose(viewer.layers["cells"])
    camera(viewer).zoom = 3.0
    run(widget, finish)
    widget.side_box.setChecked(True)
    view = grid(viewer)
    assert view.enabled
    assert not viewer.layers["other"].visible
    cells = [layer for layer in viewer.layers if layer.visible]
    assert [layer.name for layer in cells] == [
        "cells",
        "encoder 1.0: alpha (scaled)",
        "encoder 1.0: fused",
        "latent 0: alpha (scaled)",
        "latent 0: fused",
    ]
    assert [cell_of(viewer, x) for x in cells] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    widget.table.item(0, 0).setCheckState(widget.table.item(0, 0).checkState().Unchecked)
    assert tuple(view.shape) == (1, 3)
    widget.side_box.setChecked(False)
    assert not grid(viewer).enabled
    assert viewer.layers["other"].visible
    assert camera(viewer).zoom == 3.0


def test_cancel_and_the_removal_of_the_image_leave_no_layer(widget, viewer, finish) -> None:
    widget.run_button.click()
    widget.cancel_button.click()
    finish(widget.runner)
    assert not maps(viewer)
    assert "Cancelled" in widget.status_label.text()
    widget.run_button.click()
    viewer.layers.remove("cells")
    finish(widget.runner)
    assert not maps(viewer)
    assert not widget.run_button.isEnabled()


def test_memory_is_given_back(widget, viewer, finish) -> None:
    run(widget, finish)
    pixels = weakref.ref(viewer.layers["cells"].data)
    map_pixels = weakref.ref(viewer.layers["latent 0: fused"].data)
    for row in (1, 0):
        widget.table.cellWidget(row, 3).click()
    viewer.layers.remove("cells")
    viewer.add_image(np.zeros((8, 8)))  # napari itself keeps the layer that was selected last
    gc.collect()
    assert map_pixels() is None
    assert pixels() is None


def test_problems_are_one_sentence(widget, viewer) -> None:
    widget.ushape.choose([])
    assert widget.problem == "Choose blocks: click them in the picture."
    assert not widget.run_button.isEnabled()
    assert widget.status_label.text() == widget.problem
    widget.ushape.choose(["latent.1"])
    for box in widget.part_boxes.values():
        box.setChecked(False)
    assert widget.problem == "Tick at least one part."
    widget.part_boxes["beta"].setChecked(True)
    assert widget.problem is None
    viewer.dims.ndisplay = 3
    widget.run()
    assert "switch it to 2-D" in widget.status_label.text()
    viewer.layers.clear()
    assert "Open an image first" in widget.problem


def test_refusals_reach_the_status(widget, viewer, finish, monkeypatch) -> None:
    from napari_anyir.inference.engine import memory_estimate

    monkeypatch.setattr(memory_estimate, "free_bytes", lambda device: 1000)
    run(widget, finish)
    assert "choose fewer blocks or parts" in widget.status_label.text()
    assert not maps(viewer)


def test_choices_are_remembered(widget, viewer, finish, remembered, qtbot) -> None:
    show(widget, ONE)
    widget.follow_box.setChecked(False)
    run(widget, finish)
    assert remembered[SECTION]["blocks"] == "encoder1.0 latent.0"
    again = FeatureMapsWidget(viewer)
    qtbot.addWidget(again)
    assert again.ushape.chosen == ("encoder1.0", "latent.0")
    assert again.parts == ("alpha", "fused")
    assert again.show_as == ONE
    assert not again.follow_box.isChecked()
    assert again.table.rowCount() == 2  # the groups are in the layers, not in the dock


def test_a_model_without_a_card_is_read_in_a_thread(qtbot, viewer, remembered, finish, monkeypatch):
    from napari_anyir.weights import ModelCard, find_model
    from napari_anyir.widgets.network import network_chooser

    bare = ModelCard("nano", find_model("nano").file)
    monkeypatch.setattr(network_chooser, "list_models", lambda: [bare])
    made = FeatureMapsWidget(viewer)
    qtbot.addWidget(made)
    assert made.ushape.structure is None
    assert not made.run_button.isEnabled()
    made.ushape.grab()  # says that the model is being read
    finish(made.model_choice._reader)
    assert len(made.ushape.structure.names) == 15
    made.ushape.choose(["latent.0"])
    assert made.run_button.isEnabled()
