"""The *Analyses* dock: every analysis, drawn, saved, and equal to the function's."""

from __future__ import annotations

import csv
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtWidgets import QFileDialog

import napari_anyir
from napari_anyir import analysis
from napari_anyir.analysis.base import new_figure
from napari_anyir.widgets.analyses import AnalysesWidget
from napari_anyir.widgets.analyses.analyses_widget import FILTERS, SECTION
from napari_anyir.widgets.analyses.analysis_job import KINDS, NONE, SEVERAL, AnalysisJob
from napari_anyir.widgets.analyses.figure_view import FigureView
from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.layers.shown_plane import read_shown_plane

RNG = np.random.default_rng(0)


@pytest.fixture
def remembered(monkeypatch) -> dict[str, dict]:
    """Keep settings in a dictionary: tests must not inherit each other's."""
    kept: dict[str, dict] = {}
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
    made.add_image(clean, name="photo (clean)", visible=False)
    made.add_image(noisy, name="photo")
    made.dims.set_point(0, 1)
    return made


@pytest.fixture
def widget(qtbot, viewer, remembered) -> AnalysesWidget:
    made = AnalysesWidget(viewer)
    qtbot.addWidget(made)
    return made


def choose(widget: AnalysesWidget, kind: str) -> None:
    widget.kind_box.setCurrentIndex(list(KINDS).index(kind))


def expected(kind: str, viewer: ViewerModel) -> analysis.base.Analysis:
    """Return what the function gives for the shown plane, written as a user would."""
    noisy, clean = (viewer.layers[name].data[1] for name in ("photo", "photo (clean)"))
    make = getattr(analysis, kind)
    model = napari_anyir.list_models()[0].name  # which the dock begins with
    if kind == "spectra":
        return make(noisy, napari_anyir.restore(noisy, model=model))
    maps = napari_anyir.feature_maps(noisy, "decoder1.0", "*", model=model)
    if kind == "error_map":
        return make(noisy, clean, maps)
    return make(maps)


def rows(found: analysis.base.Analysis) -> list[list[object]]:
    return [list(row) for row in found.table()[1]]


def test_every_analysis_is_offered() -> None:
    offered = {name for name in analysis.__all__ if callable(getattr(analysis, name))}
    functions = {name for name in offered if name.islower()}
    assert set(KINDS) == functions


@pytest.mark.slow
@pytest.mark.parametrize("kind", [name for name in KINDS if name != "contact_sheet"])
def test_an_analysis_is_that_of_the_shown_plane(widget, viewer, finish, kind) -> None:
    if kind == "t_sne":
        pytest.importorskip("sklearn")
    choose(widget, kind)
    widget.ushape.choose(["decoder1.0"])
    widget.run_button.click()
    finish(widget.runner)
    assert widget.analysed is not None, widget.status_label.text()
    found = rows(widget.analysed.analysis)
    if kind == "t_sne":  # chaotic, and slow: the last bits of a map would matter
        assert len(found) == 2 * 320  # all pixels of a map at half size
    else:
        wanted = rows(expected(kind, viewer))
        assert len(found) == len(wanted) > 0
        for one, other in zip(found, wanted, strict=True):
            for a, b in zip(one, other, strict=True):
                assert a == pytest.approx(b, rel=1e-3, abs=1e-4) if isinstance(b, float) else a == b
    assert widget.view.widget() is not None
    picture = widget.view.widget().grab().toImage()
    colours = {picture.pixel(x, y) for x in range(0, picture.width(), 3) for y in range(0, 200, 3)}
    assert len(colours) > 5  # drawn, not blank


def test_a_sheet_of_several_blocks(widget, viewer, finish) -> None:
    choose(widget, "contact_sheet")
    assert len(widget.ushape.chosen) == 8
    widget.ushape.choose(["encoder1.0", "latent.0"])
    widget.run_button.click()
    finish(widget.runner)
    sheet = widget.analysed.analysis
    assert sheet.blocks == ("encoder1.0", "latent.0")
    assert sheet.parts == ("alpha", "beta", "gamma", "attention", "gated", "fused")
    assert set(sheet.images) == {"input", "restored"}


@pytest.mark.slow
def test_saving(widget, viewer, finish, tmp_path, monkeypatch) -> None:
    assert not widget.save_button.isEnabled()
    widget.run_button.click()
    finish(widget.runner)
    for suffix, text in FILTERS.items():
        answer = (str(tmp_path / f"figure-{suffix[1:]}"), text)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, answer=answer: answer)
        widget.save_button.click()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["figure-csv.csv", "figure-pdf.pdf", "figure-png.png", "figure-svg.svg"]
    with Image.open(tmp_path / "figure-png.png") as picture:
        assert np.asarray(picture).std() > 5
    assert ET.parse(tmp_path / "figure-svg.svg").getroot().tag.endswith("svg")
    with (tmp_path / "figure-csv.csv").open() as file:
        table = list(csv.reader(file))
    assert table[0] == list(widget.analysed.analysis.table()[0])
    assert len(table) == 1 + len(rows(widget.analysed.analysis))
    widget.save(tmp_path / "figure.gif")
    assert "'figure.gif' cannot be written" in widget.status_label.text().replace(".part-", "")
    assert len(list(tmp_path.iterdir())) == 4
    widget.save(tmp_path / "new" / "figure.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["figure.png"]


def test_enlarging_gives_a_window(widget, viewer, finish, qtbot) -> None:
    assert widget.enlarge() is None
    widget.run_button.click()
    finish(widget.runner)
    window = widget.enlarge()
    qtbot.addWidget(window)
    assert window.height() <= 768
    assert window.width() <= 1366
    assert widget.view.figure is not None  # the dock keeps its own


def test_the_figure_follows_the_docks_width(qtbot) -> None:
    view = FigureView()
    qtbot.addWidget(view)
    view.resize(700, 300)
    view.show()
    view.set_figure(new_figure(9, 3.8))
    for width, expected_width in ((700, 696), (300, 284), (1300, 9 * 110)):
        view.resize(width, 300)
        qtbot.waitUntil(
            lambda wanted=expected_width: abs(view.widget().width() - wanted) < 24, timeout=5000
        )
    view.set_figure(None)
    assert view.widget() is None


def test_only_what_an_analysis_needs_is_asked_for(widget) -> None:
    for name, kind in KINDS.items():
        choose(widget, name)
        assert widget.ushape.isHidden() == (kind.blocks == NONE)
        assert widget.reference_box.isHidden() != kind.reference
        assert widget.ushape._single == (kind.blocks not in (NONE, SEVERAL)) or kind.blocks == NONE


def test_problems_are_one_sentence(widget, viewer) -> None:
    choose(widget, "error_map")
    assert widget.problem is None
    assert widget.reference_box.layer.name == "photo (clean)"
    widget.reference_box.choose(None)
    assert widget.problem.startswith("Choose a reference")
    assert not widget.run_button.isEnabled()
    viewer.layers.clear()
    assert widget.problem.startswith("Open an image first")


def test_a_missing_extra_is_named(viewer, monkeypatch) -> None:
    plane = read_shown_plane(viewer.layers["photo"], viewer.dims)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r"needs matplotlib.*pip install"):
        AnalysisJob("spectra", plane, model="nano", device="cpu")(None, None)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    job = AnalysisJob("t_sne", plane, ("latent.0",), ("attention", "gated"), "nano", "cpu")
    with pytest.raises(ValueError, match=r"needs scikit-learn.*pip install"):
        job(None, None)


def test_cancel_keeps_the_figure(widget, viewer, finish) -> None:
    widget.run_button.click()
    finish(widget.runner)
    before = widget.analysed
    choose(widget, "spectra")
    widget.run_button.click()
    widget.cancel_button.click()
    finish(widget.runner)
    assert widget.analysed is before
    assert "Cancelled" in widget.status_label.text()


def test_choices_are_remembered(widget, viewer, finish, remembered, qtbot) -> None:
    choose(widget, "channel_activations")
    widget.ushape.choose(["latent.1"])
    widget.run_button.click()
    finish(widget.runner)
    default = napari_anyir.list_models()[0].name
    assert remembered[SECTION] == {
        "model": default, "device": "auto", "blocks": "latent.1", "analysis": "channel_activations",
    }  # fmt: skip
    again = AnalysesWidget(viewer)
    qtbot.addWidget(again)
    assert again.kind == "channel_activations"
    assert again.ushape.chosen == ("latent.1",)
