"""Which models to restore with: a list, further ones, and in words which it will be and why."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_anyir.inference.model_choice import ModelChoice, choose_model, rule_in_words
from napari_anyir.weights import DEFAULT, list_models
from napari_anyir.weights.card import ModelCard
from napari_anyir.widgets.kit.form_parts import small_label
from napari_anyir.widgets.kit.model_news import model_news
from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.network.model_box import ModelBox
from napari_anyir.widgets.restore.models_button import ModelsButton

BLIND = "Blind: the network finds out by itself what is wrong with an image; nobody has to tell it."

RULE = (
    "By kind of image: as napari_anyir.restore and the command line choose where no model is named."
)


class ModelField(QWidget):
    """A list of models, a button for further ones, and what is said of the chosen one.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    changed : Signal
        Another model was chosen, or a further one.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards = {card.name: card for card in list_models()}
        self._kind: tuple[Any, bool] | None = None
        self.box = ModelBox()
        self.box.setToolTip(f"The network's weights; all of them run without a connection.\n{RULE}")
        self.more_button = ModelsButton(list(self._cards))
        self.note = small_label()
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        row.addWidget(self.more_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.note)
        self.setFocusProxy(self.box)
        self.box.currentIndexChanged.connect(self._tell)
        self.more_button.changed.connect(self.changed)
        model_news().changed.connect(self._models_changed)
        self._tell()

    @property
    def model(self) -> str:
        """The chosen model as `napari_anyir.restore` takes it."""
        return self.box.model_name

    @property
    def models(self) -> list[str]:
        """All models to restore with: the chosen one first, then the ticked ones."""
        return [self.model, *self.more_button.names]

    @property
    def choice(self) -> ModelChoice | None:
        """Which model the chosen entry stands for, and why; None as long as nobody can know."""
        if not self._cards or (self.model == DEFAULT and self._kind is None):
            return None
        dtype, colour = self._kind or ("uint8", True)
        return choose_model(self.model, dtype, colour=colour)

    @property
    def cards(self) -> list[ModelCard]:
        """Cards of the models that will run, in the order of `models`; empty if nobody can know."""
        choice = self.choice
        if choice is None:
            return []
        return [self._cards[name] for name in (str(choice.model), *self.more_button.names)]

    @property
    def empty(self) -> bool:
        """Whether there is no model at all."""
        return not self._cards

    def set_image(self, dtype: Any, *, colour: bool) -> None:
        """Say what is to be restored.

        Parameters
        ----------
        dtype : numpy.dtype or None
            Type of its pixels; None where there is no image, or none that can be read.
        colour : bool
            Whether its planes have samples (RGB).
        """
        kind = None if dtype is None else (dtype, colour)
        if kind != self._kind:
            self._kind = kind
            self._tell()

    def in_words(self) -> str:
        """Say which model it will be, why, and what it is for."""
        if self.empty:
            return "No model is installed."
        choice = self.choice
        if choice is None:
            return rule_in_words()
        summary = self._cards[str(choice.model)].summary
        if self.model != DEFAULT:
            return summary
        why = f", because {choice.reason}" if choice.reason else ""
        return f"{choice.model}{why}. {summary}"

    def _models_changed(self) -> None:
        self._cards = {card.name: card for card in list_models()}
        self.box.offer_all()
        self.more_button.offer(list(self._cards))
        self._tell()

    def _tell(self) -> None:
        self.note.setText(self.in_words())
        cards = self.cards
        self.note.setToolTip(f"{BLIND} {cards[0].limits or cards[0].tiling}" if cards else RULE)
        self.more_button.set_main(cards[0].name if cards else "")
        self.changed.emit()
