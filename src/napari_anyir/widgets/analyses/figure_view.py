"""A matplotlib figure in a dock: as wide as the dock, never too small to read.

The canvas is matplotlib's own for Qt. napari-matplotlib would bring a canvas too, but one that
makes its figure itself and redraws it when layers are selected; ours come ready from the analyses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_DPI, MOST_DPI = 56.0, 110.0
"""Pixels per inch between which a figure follows the width of the dock."""


def fitting_dpi(width: float, inches: float) -> float:
    """Choose the pixels per inch for a figure.

    Parameters
    ----------
    width : float
        Of the view, in pixels.
    inches : float
        Of the figure.

    Returns
    -------
    float
        So that it fills the view, as far as letters stay readable and do not grow huge.

    Examples
    --------
    >>> fitting_dpi(900, 9), fitting_dpi(300, 9), fitting_dpi(3000, 9)
    (100.0, 56.0, 110.0)
    """
    return min(MOST_DPI, max(LEAST_DPI, width / inches))


def fitting_size(width: float, inches: tuple[float, float]) -> tuple[float, tuple[float, float]]:
    """Choose pixels per inch and size of a figure, so that it is never wider than its view.

    Parameters
    ----------
    width : float
        Of the view, in pixels.
    inches : (float, float)
        Width and height of the figure as it was drawn.

    Returns
    -------
    dpi : float
        As `fitting_dpi`.
    inches : (float, float)
        Narrower than asked for where letters would become too small: then the panels give way. The
        height goes with the square root, since their letters need what they needed.

    Examples
    --------
    >>> fitting_size(900, (9, 4))
    (100.0, (9, 4))
    >>> dpi, size = fitting_size(336, (9, 4))
    >>> dpi, round(dpi * size[0])
    (56.0, 336)
    """
    dpi = fitting_dpi(width, inches[0])
    share = width / (dpi * inches[0])
    if share >= 1:
        return dpi, inches
    return dpi, (inches[0] * share, inches[1] * share**0.5)


def make_canvas(figure: Figure, inches: tuple[float, float], dpi: float) -> Any:
    """Put a figure on a canvas of a fixed size.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure; it leaves the canvas on which it was.
    inches : tuple of float
        Width and height.
    dpi : float
        Pixels per inch.

    Returns
    -------
    FigureCanvasQTAgg
        A widget.
    """
    from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg

    figure.set_size_inches(*inches)
    figure.set_dpi(dpi)
    canvas = FigureCanvasQTAgg(figure)
    canvas.setFixedSize(round(inches[0] * dpi), round(inches[1] * dpi))
    return canvas


class FigureView(QScrollArea):
    """Shows a figure, and bars to scroll where it is wider than the dock.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figure: Figure | None = None
        self._inches = (1.0, 1.0)
        self._drawn: tuple[int, tuple[float, float]] | None = None
        self.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.setMinimumHeight(120)
        self.setAccessibleName("Figure of the analysis")
        # While the dock is dragged wider, the last size counts.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(150)
        self._timer.timeout.connect(self._fit)

    def set_figure(self, figure: Figure | None) -> None:
        """Show a figure, or nothing."""
        self.figure = figure
        if figure is None:
            self.takeWidget()
            return
        width, height = figure.get_size_inches()
        self._inches, self._drawn = (float(width), float(height)), None
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        """Draw the figure anew once the dock has come to rest."""
        super().resizeEvent(event)
        if self.figure is not None:
            self._timer.start()

    def _fit(self) -> None:
        view = self.viewport()
        if self.figure is None or view is None:
            return
        dpi, inches = fitting_size(view.width() - 2, self._inches)
        if (round(dpi), inches) == self._drawn:
            return
        self._drawn = (round(dpi), inches)
        self.setWidget(make_canvas(self.figure, inches, dpi))


class FigureWindow(QWidget):
    """A figure in a window of its own, with matplotlib's tools to zoom and pan.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    title : str
        Of the window.
    parent : QWidget
        The window closes with it.
    """

    def __init__(self, figure: Figure, title: str, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        from matplotlib.backends.backend_qt import NavigationToolbar2QT
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg

        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        width, height = figure.get_size_inches()
        figure.set_dpi(90)
        canvas = FigureCanvasQTAgg(figure)
        layout = QVBoxLayout(self)
        layout.addWidget(NavigationToolbar2QT(canvas, self))
        layout.addWidget(canvas, 1)
        # It fits a small laptop, whatever the figure.
        self.resize(min(1320, round(width * 90)), min(700, round(height * 90) + 50))
