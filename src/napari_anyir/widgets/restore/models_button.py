"""A button that adds further models to a run: each gives a result of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMenu, QToolButton, QWidget

from napari_anyir.widgets.kit.qt import Signal


class ModelsButton(QToolButton):
    """A menu of models with a tick each; hidden where there is only one model.

    Parameters
    ----------
    names : sequence of str
        All models.
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    changed : Signal
        A tick was set or taken away.
    """

    changed = Signal()

    def __init__(self, names: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._main = ""
        self._actions: dict[str, Any] = {}
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self.offer(names)
        self.setMenu(self._menu)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(
            "Restore with further models in the same go: one layer for each, shown side by side."
        )
        # The arrow of the menu lies over the text otherwise.
        self.setStyleSheet("QToolButton { padding: 0px 14px 0px 6px; }")
        if len(names) < 2:
            self.hide()
        self._toggled()

    def offer(self, names: Sequence[str]) -> None:
        """Offer models that are not offered yet."""
        for name in names:
            if name in self._actions:
                continue
            action: Any = self._menu.addAction(name)
            action.setCheckable(True)
            action.setToolTip(f"Restore with {name} as well, into a layer of its own.")
            action.toggled.connect(self._toggled)
            self._actions[name] = action
        if len(self._actions) > 1 and self.parentWidget() is not None:  # not as a window
            self.show()

    @property
    def names(self) -> list[str]:
        """The ticked models, but for the one that is chosen anyway."""
        return [
            name
            for name, action in self._actions.items()
            if action.isChecked() and name != self._main
        ]

    def set_main(self, name: str) -> None:
        """Say which model is chosen anyway; it is not offered, and its tick rests meanwhile."""
        self._main = name
        for other, action in self._actions.items():
            action.setVisible(other != name)
        self._count()

    def set_names(self, names: Sequence[str]) -> None:
        """Tick models; those that are not there are passed over."""
        for name, action in self._actions.items():
            action.setChecked(name in names)

    def _count(self) -> None:
        count = len(self.names)
        self.setText(f"+ {count}" if count else "+")

    def _toggled(self) -> None:
        self._count()
        self.changed.emit()
