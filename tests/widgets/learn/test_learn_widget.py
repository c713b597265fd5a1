"""*Learn my noise*: the real commands in processes of their own, followed by the dock."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_anyir
from napari_anyir.errors import Cancelled
from napari_anyir.files import ImageFile, read_image, write_image
from napari_anyir.widgets.learn import LearnWidget
from napari_anyir.widgets.learn.learn_files import (
    LayerPixels,
    chosen_planes,
    write_layers,
    write_pairs,
)
from napari_anyir.widgets.learn.learn_job import LearnChoices, LearnJob, starting_model
from napari_anyir.widgets.learn.learning_curves import LearningCurves
from napari_anyir.widgets.learn.live_plot import LivePlot
from napari_anyir.widgets.restore import RestoreWidget

TIMEOUT = 400_000


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path / "models"


def scene(side: int) -> np.ndarray[Any, Any]:
    rows, columns = np.mgrid[:side, :side]
    waves = 0.5 + 0.3 * np.sin(rows / 9.0) * np.cos(columns / 7.0)
    return np.where((rows - columns) % 40 < 20, waves, 0.9 - waves)


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    clean = scene(320)
    # Speckle, which no model has seen; hardly any of it is cut off at white.
    noisy = 60 * clean * np.random.default_rng(1).exponential(size=clean.shape)
    made.add_image((clean * 60).astype(np.uint8), name="clean")
    made.add_image(noisy.clip(0, 255).astype(np.uint8), name="cells")
    return made


@pytest.fixture
def widget(qtbot, viewer: ViewerModel) -> LearnWidget:
    made = LearnWidget(viewer)
    qtbot.addWidget(made)
    made.form.model_box.setCurrentText("nano")
    return made


# --- the form -------------------------------------------------------------------------------------


def test_the_selected_layer_is_ticked_and_all_layers_are_offered(widget, viewer) -> None:
    assert [layer.name for layer in widget.form.layer_list.layers] == ["cells"]
    viewer.layers["cells"].name = "renamed"
    assert [widget.form.layer_list.item(row).text() for row in range(2)] == ["renamed", "clean"]
    widget.form.layer_list.tick(viewer.layers["clean"])
    assert widget.form.wish().noisy[0].name == "clean"
    viewer.layers.clear()
    assert "Tick the noisy layers" in widget.form.problem
    assert not widget.run_button.isEnabled()
    viewer.add_image(np.zeros((64, 64)), name="new")
    assert widget.form.problem is None


def test_what_is_wrong_is_told_before_the_start(widget, tmp_path) -> None:
    form = widget.form
    form.name_edit.setText("nano")
    assert "already a model 'nano'" in form.problem
    form.name_edit.setText("a/b")
    assert "cannot name a model" in form.problem
    form.name_edit.setText("mine")
    form.source_box.setCurrentText("Folders")
    assert "Choose the folder" in form.problem
    form.noisy_field.edit.setText(str(tmp_path / "nowhere"))
    assert "There is no folder" in form.problem
    form.noisy_field.edit.setText(str(tmp_path))
    assert form.problem is None
    assert form.wish().noisy == tmp_path


def test_pairs_need_an_extra_and_say_so(widget, viewer, monkeypatch) -> None:
    form = widget.form
    form.kind_box.setCurrentText("Pairs: noisy and clean")
    assert form.name_edit.text() == "my-pairs"
    form.noisy_box.choose(viewer.layers["cells"])
    form.clean_box.choose(viewer.layers["cells"])
    assert "the clean one that belongs to it" in form.problem
    form.clean_box.choose(viewer.layers["clean"])
    assert form.problem is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert 'pip install "napari-anyir[training]"' in form.problem


def test_only_what_we_can_train_is_offered(widget) -> None:
    assert widget.form.model_box.count() == 1 + len(
        [card for card in napari_anyir.list_models() if card.architecture == "AnyIR"]
    )


def test_a_model_that_nobody_names_is_that_of_the_kind_of_image(qtbot, viewer, tmp_path) -> None:
    widget = LearnWidget(viewer)
    qtbot.addWidget(widget)
    form = widget.form
    assert form.model_box.currentText() == "by kind of image"
    assert starting_model(form.wish()) == "denoise"  # one channel
    assert form.values()["model"] == "default"
    photograph = np.zeros((64, 64, 3), np.uint8)
    colour = LayerPixels("photograph", photograph, "YXS")
    assert starting_model(LearnChoices("mine", "default", 3.0, [colour], [colour])) == "nano"
    assert starting_model(LearnChoices("mine", "tiny", 3.0, [colour])) == "tiny"
    for name, pixels, model in (
        ("photographs", photograph, "nano"),
        ("counts", photograph.astype(np.uint16), "denoise"),
    ):
        (tmp_path / name).mkdir()
        write_image(tmp_path / name / "a.png", pixels, ImageFile(pixels, "YXS", "png"))
        wish = LearnChoices("mine", "default", 3.0, tmp_path / name, tmp_path / name)
        assert starting_model(wish) == model


# --- files ----------------------------------------------------------------------------------------


def test_layers_become_files_that_know_their_axes(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 60000, (3, 2, 40, 48)).astype(np.uint16)
    photo = stack[0].transpose(1, 2, 0).repeat(2, -1)[..., :3].astype(np.uint8)
    layers = [LayerPixels("a", stack, "TCYX"), LayerPixels("b", photo, "YXS")]
    paths = write_layers(layers, tmp_path, None)
    for path, layer in zip(paths, layers, strict=True):
        image = read_image(path)
        assert image.axes == layer.axes
        np.testing.assert_array_equal(np.asarray(image.array), layer.array)


def test_of_a_lazy_stack_only_some_planes_are_computed() -> None:
    dask = pytest.importorskip("dask.array")
    stack = dask.zeros((1000, 64, 64), chunks=(1, 64, 64), dtype=np.uint16)
    array, axes = chosen_planes(LayerPixels("a", stack, "ZYX"), most_bytes=10 * 64 * 64 * 2)
    assert (array.shape, axes) == ((10, 64, 64), "ZYX")


def test_pairs_of_layers_are_cut_so_that_some_are_held_out(tmp_path: Path) -> None:
    plane = np.arange(400 * 400, dtype=np.float32).reshape(400, 400)
    pairs = write_pairs(
        [LayerPixels("a", plane, "YX")], [LayerPixels("b", plane + 1, "YX")], tmp_path, None
    )
    given, wanted = (read_image(tmp_path / side / "000.tif") for side in ("input", "target"))
    assert given.axes == "TYX"
    assert given.array.shape == (16, 100, 100)
    np.testing.assert_array_equal(np.asarray(given.array) + 1, np.asarray(wanted.array))
    assert np.isin(np.asarray(given.array), plane).all()
    assert "data.hold_out=2" in pairs.options
    assert "phases.0.crop=96" in pairs.options


@pytest.mark.parametrize(("side", "count"), [(96, 2), (160, 4), (400, 16)])
def test_even_a_small_plane_gives_something_to_hold_out(
    tmp_path: Path, side: int, count: int
) -> None:
    plane = np.zeros((side, side), np.uint8)
    write_pairs([LayerPixels("a", plane, "YX")], [LayerPixels("b", plane, "YX")], tmp_path, None)
    assert len(read_image(tmp_path / "input" / "000.tif").array) >= count


def test_a_plane_that_cannot_be_cut_is_refused(tmp_path: Path) -> None:
    plane = LayerPixels("tiny one", np.zeros((64, 64), np.uint8), "YX")
    with pytest.raises(ValueError, match="'tiny one' is too small to train on"):
        write_pairs([plane], [plane], tmp_path, None)


def test_layers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    one, other = (LayerPixels("a", np.zeros((9, width)), "YX") for width in (9, 8))
    with pytest.raises(ValueError, match="must be of one shape"):
        write_pairs([one], [other], tmp_path, None)


# --- curves ---------------------------------------------------------------------------------------


def test_curves_are_drawn(qtbot) -> None:
    from qtpy.QtGui import QColor

    curves, plot = LearningCurves(), LivePlot()
    qtbot.addWidget(plot)
    plot.resize(300, 170)
    empty = plot.grab().toImage()
    for step, error in ((0, 0.02), (25, 0.018), (50, 0.015)):
        change = {"before": 0.02, "after": error, "standard_error": 0.0005}
        curves.take(
            {
                "event": "look",
                "step": step,
                "loss": 0.1 if step else None,
                "best": True,
                "unseen": change,
                "beside": change,
            }
        )
    plot.show_panels(curves.panels)
    drawn = plot.grab().toImage()
    assert drawn != empty
    blue = QColor("#3d9be9").rgb()
    found = sum(drawn.pixel(x, y) == blue for x in range(drawn.width()) for y in range(110))
    assert found > 20
    assert "75.0 %" in curves.text


# --- the work -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_model_is_learned_and_appears_in_every_list(qtbot, widget, viewer) -> None:
    restore = RestoreWidget(viewer)
    qtbot.addWidget(restore)
    restore.form.model_box.setCurrentText("nano")
    widget.form.minutes_box.setValue(5.0)
    widget.run()
    assert not widget.form.isEnabled()
    curve = widget._curves._unseen.points
    qtbot.waitUntil(lambda: len(curve) >= 4 or not widget.runner.running, timeout=TIMEOUT)
    assert widget.runner.running, widget.status_label.text()
    assert not widget.preview.before.pixmap().isNull()
    widget.cancel()
    qtbot.waitUntil(lambda: not widget.runner.running, timeout=TIMEOUT)
    assert widget.learned.added == "my-noise", widget.status_label.text()
    assert "in every list of models now" in widget.status_label.text()
    assert restore.form.model_box.currentText() == "nano"
    assert restore.form.model_box.findText("my-noise") > 0
    assert widget.form.model_box.findText("my-noise") > 0
    assert widget.form.name_edit.text() == "my-noise-2"
    restored = napari_anyir.restore(viewer.layers["cells"].data, model="my-noise")
    error, before = (
        np.square(image.astype(float) - viewer.layers["clean"].data).mean()
        for image in (restored, viewer.layers["cells"].data)
    )
    assert error < 0.25 * before
    card = next(card for card in napari_anyir.list_models() if card.name == "my-noise")
    assert card.training["adapted_from"] == "nano"


@pytest.mark.slow
def test_what_the_command_refuses_is_one_sentence(qtbot, widget, viewer) -> None:
    viewer.layers.clear()
    viewer.add_image(np.zeros((16, 16), np.uint8), name="small")
    widget.run()
    qtbot.waitUntil(lambda: not widget.runner.running, timeout=TIMEOUT)
    assert "too small to adapt to" in widget.status_label.text()
    assert widget.learned is None


@pytest.mark.slow
def test_a_closed_dock_ends_the_process_and_adds_nothing(qtbot, widget) -> None:
    widget.form.minutes_box.setValue(60.0)
    widget.run()
    qtbot.waitUntil(lambda: bool(widget._curves._unseen.points), timeout=TIMEOUT)
    before = napari_anyir.list_models()
    widget.close()
    qtbot.waitUntil(lambda: not widget.runner.running, timeout=TIMEOUT)
    assert napari_anyir.list_models() == before


def test_a_cancelled_job_raises_and_leaves_no_process(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((64, 64), np.uint8))
    job = LearnJob(LearnChoices("mine", "nano", 60.0, tmp_path))
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        job(lambda *_: None, cancel)


@pytest.mark.slow
def test_pairs_of_layers_train_a_model(viewer) -> None:
    pytest.importorskip("lightning")
    cells, clean = (LayerPixels(n, viewer.layers[n].data, "YX") for n in ("cells", "clean"))
    job = LearnJob(LearnChoices("paired", "nano", 20.0, [cells], [clean]))
    told: list[dict[str, Any]] = []

    def progress(done: int, total: int, news: Any = None) -> None:
        if news is not None:
            told.append(news)
        elif done > 8:
            job.finish()

    learned = job(progress, None)
    kinds = [event["event"] for event in told]
    assert kinds.count("psnr") >= 2
    assert "preview" in kinds
    assert "Held-out images went from" in learned.text
    psnrs = [event["psnr"] for event in told if event["event"] == "psnr"]
    names = {card.name for card in napari_anyir.list_models()}
    assert (learned.added == "paired") == ("paired" in names) == (psnrs[-1] > psnrs[0])
