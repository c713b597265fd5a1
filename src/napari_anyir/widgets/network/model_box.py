"""A list of models whose first entry leaves the choice to the kind of image."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QWidget

from napari_anyir.weights import DEFAULT, list_models
from napari_anyir.widgets.kit.model_news import refill

__all__ = ["BY_KIND", "ModelBox"]

BY_KIND = "by kind of image"
"""What stands for `napari_anyir.weights.DEFAULT` in a list."""


class ModelBox(QComboBox):
    """All models by name, and before them *by kind of image*, which is what it starts with.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.
    trainable : bool
        Offer only what can be trained on: not other people's networks.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication
    >>> application = QApplication.instance() or QApplication([])
    >>> box = ModelBox()
    >>> box.currentText(), box.model_name
    ('by kind of image', 'default')
    >>> box.choose("nano")
    >>> box.model_name
    'nano'
    """

    def __init__(self, parent: QWidget | None = None, *, trainable: bool = False) -> None:
        super().__init__(parent)
        self._trainable = trainable
        self.offer_all()

    @property
    def model_name(self) -> str:
        """What `napari_anyir.restore` takes as its model."""
        return str(self.currentText()) if self.currentIndex() > 0 else DEFAULT

    def choose(self, model: str) -> None:
        """Choose a model by its name; one that is not offered changes nothing.

        Parameters
        ----------
        model : str
            As `model_name` returns it.
        """
        index = 0 if model == DEFAULT else self.findText(model)
        if index >= 0:
            self.setCurrentIndex(index)

    def offer_all(self) -> None:
        """Offer the models that there are now; the chosen one stays chosen."""
        cards = list_models()
        if self._trainable:
            cards = [card for card in cards if card.architecture == "AnyIR"]
        refill(self, [BY_KIND, *(card.name for card in cards)])
