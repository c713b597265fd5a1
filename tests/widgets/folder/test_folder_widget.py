from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_anyir
from napari_anyir.files import read_image, write_image
from napari_anyir.widgets.folder import FolderWidget
from napari_anyir.widgets.folder.folder_job import inputs_of


@pytest.fixture
def images(tmp_path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("a.tif", "b.png", "below/c.tif"):
        pixels = generator.integers(0, 255, (16, 20)).astype(np.uint8)
        write_image(tmp_path / "raw" / name, pixels)
    (tmp_path / "raw" / "broken.tif").write_bytes(b"no image")
    return tmp_path / "raw"


@pytest.fixture
def widget(qtbot, images) -> FolderWidget:
    made = FolderWidget(ViewerModel())
    qtbot.addWidget(made)
    made.input_field.edit.setText(str(images))
    made.output_field.edit.setText(str(images.parent / "out"))
    made.model_box.setCurrentText("nano")
    made.device_box.setCurrentText("cpu")
    return made


def states(widget: FolderWidget) -> dict[str, str]:
    table = widget.table
    rows = [[table.item(row, column) for column in (0, 1)] for row in range(table.rowCount())]
    return {name.text(): state.text() for name, state in rows if name and state}


def test_a_folder_is_restored_and_one_bad_file_stops_nothing(widget, images, finish) -> None:
    widget.run()
    finish(widget.runner)
    assert states(widget) == {
        "a.tif": "done",
        "b.png": "done",
        "below/c.tif": "done",
        "broken.tif": "failed",
    }
    assert "3 done" in widget.status_label.text()
    assert "1 failed" in widget.status_label.text()
    source = read_image(images / "below" / "c.tif").array
    expected = napari_anyir.restore(source, model="nano", device="cpu")
    result = read_image(images.parent / "out" / "below" / "c.tif").array
    np.testing.assert_array_equal(result, expected)


def test_each_file_gets_the_model_that_suits_it(widget, images, finish) -> None:
    from napari_anyir.inference.model_choice import choose_model, rule_in_words

    (images / "broken.tif").unlink()
    write_image(images / "photo.png", np.zeros((16, 20, 3), np.uint8))
    widget.model_box.setCurrentIndex(0)
    assert widget.settings().model == "default"
    assert widget.model_label.text() == rule_in_words()
    widget.run()
    finish(widget.runner)
    cells = [[widget.table.item(row, column) for column in (0, 2)] for row in range(4)]
    models = {name.text(): model.text() for name, model in cells}
    photographed = choose_model("default", "uint8", colour=True).model
    measured = choose_model("default", "uint8", colour=False).model
    assert models == {
        "a.tif": measured,
        "b.png": measured,
        "below/c.tif": measured,
        "photo.png": photographed,
    }
    assert "one channel" in widget.table.item(0, 2).toolTip()


def test_a_second_run_repeats_nothing(widget, finish) -> None:
    for _ in range(2):
        widget.run()
        finish(widget.runner)
    found = states(widget)
    assert found.pop("broken.tif") == "failed"
    assert set(found.values()) == {"skipped"}


def test_the_filter_chooses_by_name(widget, finish) -> None:
    widget.filter_edit.setText("*.png c*")
    widget.run()
    finish(widget.runner)
    assert set(states(widget)) == {"b.png", "below/c.tif"}


def test_cancel_keeps_what_is_finished(widget, images, finish, qtbot) -> None:
    (images / "broken.tif").unlink()
    for index in range(30):
        write_image(images / f"more{index:02}.png", np.zeros((32, 32), np.uint8) + index)
    widget.run()
    qtbot.waitUntil(lambda: "done" in states(widget).values(), timeout=60_000)
    widget.cancel_button.click()
    finish(widget.runner)
    assert "Cancelled" in widget.status_label.text()
    out = images.parent / "out"
    finished = [path for path in out.rglob("*") if path.suffix in (".png", ".tif")]
    assert 1 <= len(finished) < 33
    for path in finished:
        assert read_image(path).array.size


def test_a_result_opens_in_the_viewer(widget, images, finish, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(type(widget._viewer), "open", lambda self, path, **kw: opened.append(path))
    widget.run()
    finish(widget.runner)
    names = list(states(widget))
    widget.table.cellDoubleClicked.emit(names.index("a.tif"), 0)
    widget.table.cellDoubleClicked.emit(names.index("broken.tif"), 0)
    assert opened == [str(images.parent / "out" / "a.tif")]


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [("", "out", "no folder"), ("/no/such", "out", "no folder"), (None, "", "for the results")],
)
def test_what_is_missing_is_said(widget, source, target, words) -> None:
    if source is not None:
        widget.input_field.edit.setText(source)
    widget.output_field.edit.setText(target)
    widget.run()
    assert words in widget.status_label.text()
    assert not widget.runner.running


def test_a_filter_that_fits_nothing_is_said(widget, finish) -> None:
    widget.filter_edit.setText("*.jpg")
    widget.run()
    finish(widget.runner)
    assert "holds no images" in widget.status_label.text()


def test_inputs_keep_the_layout_of_folders(images) -> None:
    assert inputs_of(images, "") == [str(images)]
    assert inputs_of(images, "*.tif,*.png") == [
        str(images / "**" / "*.tif"),
        str(images / "**" / "*.png"),
    ]
