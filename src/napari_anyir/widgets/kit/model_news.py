"""Word that a model was added, for every list of models that is on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QCoreApplication, QObject
from qtpy.QtWidgets import QComboBox

from napari_anyir.widgets.kit.qt import Signal

__all__ = ["ModelNews", "model_news", "refill"]


class ModelNews(QObject):
    """Tells that there is another model; ask `model_news` for the one of the application.

    Attributes
    ----------
    changed : Signal
        `napari_anyir.list_models` gives another list than before.

    Examples
    --------
    >>> heard = []
    >>> news = ModelNews()
    >>> _ = news.changed.connect(lambda: heard.append("another list"))
    >>> news.changed.emit()
    >>> heard
    ['another list']
    """

    changed = Signal()


_news: list[ModelNews] = []


def model_news() -> ModelNews:
    """Return the one that all widgets share; it lives as long as the application.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication
    >>> application = QApplication.instance() or QApplication([])
    >>> model_news() is model_news()
    True
    """
    if not _news:
        _news.append(ModelNews())
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(_news.clear)
    return _news[0]


def refill(box: QComboBox, names: Sequence[str]) -> None:
    """Offer other names in a list; the chosen one stays chosen, and no signal tells of it.

    Parameters
    ----------
    box : QComboBox
        The list.
    names : sequence of str
        What it offers now.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication
    >>> application = QApplication.instance() or QApplication([])
    >>> box = QComboBox()
    >>> refill(box, ["nano", "tiny"])
    >>> box.setCurrentText("tiny")
    >>> refill(box, ["mine", "nano", "tiny"])
    >>> box.currentText(), box.count()
    ('tiny', 3)
    """
    chosen = box.currentText()
    blocked = box.blockSignals(True)
    box.clear()
    box.addItems(list(names))
    if (index := box.findText(chosen)) >= 0:
        box.setCurrentIndex(index)
    box.blockSignals(blocked)
