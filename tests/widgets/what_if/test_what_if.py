"""The *What if* dock: trials equal `restore(interventions=...)`, and their numbers are true."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from skimage.metrics import peak_signal_noise_ratio

import napari_anyir
from napari_anyir import Cancelled
from napari_anyir.inference import Intervention
from napari_anyir.samples import SAMPLES
from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.layers.layer_origins import WHAT_IF
from napari_anyir.widgets.layers.shown_plane import read_shown_plane
from napari_anyir.widgets.restore.result_script import Origin
from napari_anyir.widgets.what_if import WhatIfWidget
from napari_anyir.widgets.what_if.trial_job import WhatIfJob, psnr, trial_layers, what_if_script
from napari_anyir.widgets.what_if.what_if_widget import SECTION

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
    clean = np.tile(np.linspace(40, 200, 40).astype(np.uint8), (3, 32, 1))
    noisy = np.clip(clean + RNG.normal(0, 20, clean.shape), 0, 255).astype(np.uint8)
    made.add_image(clean, name="photo (clean)", scale=(1, 2, 2), visible=False)
    made.add_image(noisy, name="photo", scale=(1, 2, 2), translate=(0, 5, 6))
    made.dims.set_point(0, 1)
    return made


@pytest.fixture
def widget(qtbot, viewer, remembered) -> WhatIfWidget:
    made = WhatIfWidget(viewer)
    qtbot.addWidget(made)
    return made


def restored(viewer, *changes: str) -> np.ndarray:
    return napari_anyir.restore(
        viewer.layers["photo"].data[1],
        model="nano",
        interventions=[Intervention.parse(text) for text in changes],
    )


def trials(viewer) -> dict[str, Image]:
    return {
        layer.metadata[WHAT_IF][1]: layer for layer in viewer.layers if WHAT_IF in layer.metadata
    }


def row(widget, index: int = 0) -> list[str]:
    return [widget.table.item(index, column).text() for column in range(4)]


def test_a_trial_is_what_restore_gives(widget, viewer, finish) -> None:
    assert widget.layer_box.layer.name == "photo"
    assert widget.reference_box.layer.name == "photo (clean)"
    widget.ushape.choose(["encoder1.0", "latent.0", "latent.1", "latent.2"])
    widget.part_boxes["gated"].setChecked(True)
    widget.lambda_check.setChecked(True)
    widget.lambda_box.setValue(0.25)
    changes = tuple(
        f"{block}:{what}"
        for what in ("alpha=off", "gated=off", "lambda=0.25")
        for block in ("encoder1.0", "latent.*")
    )
    assert widget.changes == changes
    widget.run_button.click()
    finish(widget.runner)
    expected, untouched = restored(viewer, *changes), restored(viewer)
    assert not np.array_equal(expected, untouched)
    made = trials(viewer)
    np.testing.assert_array_equal(made["restored"].data[0], expected)
    assert made["restored"].contrast_limits_range == [0, 255]
    np.testing.assert_array_equal(
        made["difference"].data[0], expected.astype(np.float32) - untouched
    )
    for layer in made.values():
        np.testing.assert_allclose(
            layer.data_to_world((0, 3, 4)), viewer.layers["photo"].data_to_world((1, 3, 4))
        )
    record = made["restored"].metadata["napari_anyir"]
    assert record["interventions"] == list(changes)
    assert record["source"] == "photo"
    clean = viewer.layers["photo (clean)"].data[1]
    with_it, without = (
        peak_signal_noise_ratio(clean, image, data_range=255) for image in (expected, untouched)
    )
    against = peak_signal_noise_ratio(untouched, expected, data_range=255)
    assert row(widget) == [
        "; ".join(changes),
        f"{against:.2f}",
        f"{with_it:.2f}",
        f"{with_it - without:+.2f}",
    ]


def test_each_alone_tables_every_part(widget, viewer, finish) -> None:
    for name in ("alpha", "frequency"):
        widget.part_boxes[name].setChecked(True)
    widget.lambda_check.setChecked(True)
    widget.each_button.click()
    finish(widget.runner)
    assert widget.table.rowCount() == 3
    assert [row(widget, i)[0] for i in range(3)] == ["*:lambda=1", "*:frequency=off", "*:alpha=off"]
    for i in range(3):
        value = psnr(restored(viewer, row(widget, i)[0]), restored(viewer))
        assert row(widget, i)[1] == f"{value:.2f}"


def test_the_next_trial_renews_the_layers_and_keeps_the_untouched(
    widget, viewer, finish, monkeypatch
) -> None:
    widget.run_button.click()
    finish(widget.runner)
    before = trials(viewer)["restored"].data.copy()
    jobs: list[WhatIfJob] = []
    start = widget.runner.start
    monkeypatch.setattr(widget.runner, "start", lambda job: (jobs.append(job), start(job)))
    widget.part_boxes["attention"].setChecked(True)
    count = len(viewer.layers)
    widget.run_button.click()
    finish(widget.runner)
    assert len(viewer.layers) == count
    np.testing.assert_array_equal(jobs[0].untouched, restored(viewer))
    assert not np.array_equal(trials(viewer)["restored"].data, before)
    viewer.dims.set_point(0, 2)  # another plane has another restoration
    widget.run_button.click()
    finish(widget.runner)
    assert jobs[1].untouched is None
    assert trials(viewer)["restored"].translate[0] == 2


def test_without_a_reference_there_is_no_psnr(widget, viewer, finish) -> None:
    widget.reference_box.choose(None)
    widget.run_button.click()
    finish(widget.runner)
    assert row(widget)[2:] == ["–", "–"]
    assert float(row(widget)[1]) > 0


def test_an_image_is_never_its_own_reference(qtbot, remembered) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((16, 16)), name="alone")
    made = WhatIfWidget(viewer)
    qtbot.addWidget(made)
    assert made.reference_box.layer is None
    assert made.problem is None


def test_problems_are_one_sentence(widget, viewer) -> None:
    widget.part_boxes["alpha"].setChecked(False)
    assert widget.problem == "Tick what to switch off, or set lambda."
    assert not widget.run_button.isEnabled()
    widget.part_boxes["tau_adj"].setChecked(True)
    assert widget.problem is None
    widget.action_box.setCurrentIndex(1)
    assert widget.problem.startswith("tau_adj is no map")
    widget.action_box.setCurrentIndex(0)
    shown = widget.layer_box.layer
    viewer.add_image(np.zeros((9, 9)), name="other")
    viewer.layers.selection.active = shown  # a new layer is selected, and the box follows
    widget.reference_box.choose(viewer.layers["other"])
    assert "choose two layers of one size" in widget.problem
    widget.reference_box.choose(None)
    widget.ushape.choose([])
    assert widget.problem.startswith("Choose blocks")


def test_cancel_and_removal_leave_no_layer(widget, viewer, finish) -> None:
    widget.run_button.click()
    widget.cancel_button.click()
    finish(widget.runner)
    assert "Cancelled" in widget.status_label.text()
    assert not trials(viewer)
    widget.run_button.click()
    viewer.layers.remove("photo")
    finish(widget.runner)
    assert not trials(viewer)
    assert widget._known is None


def test_the_job_is_cancelled_between_trials(viewer) -> None:
    plane = read_shown_plane(viewer.layers["photo"], viewer.dims)
    cancel = threading.Event()
    steps: list[int] = []

    def progress(done: int, total: int) -> None:
        assert total == 300
        steps.append(done)
        if done >= 100:
            cancel.set()

    job = WhatIfJob(plane, (("*:alpha=off",), ("*:beta=off",)), "nano", "cpu")
    with pytest.raises(Cancelled):
        job(progress, cancel)
    assert steps
    assert max(steps) <= 200
    with pytest.raises(ValueError, match="is no intervention"):
        WhatIfJob(plane, (("alpha",),), "nano")(None, None)


def test_colours_and_alpha(finish) -> None:
    viewer = ViewerModel()
    image = RNG.integers(0, 255, (16, 24, 4)).astype(np.uint8)
    layer = viewer.add_image(image, rgb=True, name="photo")
    plane = read_shown_plane(layer, viewer.dims)
    job = WhatIfJob(plane, (("*:gated=off",),), "nano", "cpu", reference=image, look={"rgb": True})
    outcome = job(None, None)
    made = [Image(**options) for options in trial_layers(job, outcome, outcome.trials[0])]
    assert [item.data.shape for item in made] == [(16, 24, 4), (16, 24)]
    np.testing.assert_array_equal(made[0].data[..., 3], image[..., 3])
    changed = outcome.trials[0].pixels[..., :3]
    expected = peak_signal_noise_ratio(image[..., :3], changed, data_range=255)
    assert outcome.trials[0].psnr == pytest.approx(expected)


def test_the_script_makes_the_trial_again(finish) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(SAMPLES["micrograph"].read()[0][:40, :48], name="micrograph")
    viewer.dims.order = (1, 0)
    plane = read_shown_plane(layer, viewer.dims)
    job = WhatIfJob(plane, (("*:alpha=off", "*:lambda=0.5"),), "nano", "cpu")
    outcome = job(None, None)
    text = what_if_script(Origin("micrograph"), job, outcome.trials[0], outcome.intensity)
    there = {"viewer": viewer}
    exec(text, there)
    np.testing.assert_array_equal(there["changed"], outcome.trials[0].pixels)
    np.testing.assert_array_equal(there["restored"], outcome.untouched)
    assert there["changed"].shape == (48, 40)


def test_the_script_reaches_the_clipboard(widget, viewer, finish, qapp) -> None:
    assert not widget.script_button.isEnabled()
    widget.run_button.click()
    finish(widget.runner)
    widget.script_button.click()
    assert "Intervention.parse" in qapp.clipboard().text()


def test_choices_are_remembered(widget, viewer, finish, remembered, qtbot) -> None:
    widget.ushape.choose(["latent.1"])
    widget.part_boxes["gamma"].setChecked(True)
    widget.action_box.setCurrentIndex(1)
    widget.run_button.click()
    finish(widget.runner)
    assert remembered[SECTION]["blocks"] == "latent.1"
    again = WhatIfWidget(viewer)
    qtbot.addWidget(again)
    assert again.ushape.chosen == ("latent.1",)
    assert again.parts == ("alpha", "gamma")
    assert again.action == "mean"
