"""*Learn my noise*: a model for the images at hand, in minutes, and with a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout

from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.kit.form_parts import small_label
from napari_anyir.widgets.kit.job_dock import JobDock
from napari_anyir.widgets.kit.model_news import model_news
from napari_anyir.widgets.kit.scrolling import Scrolling
from napari_anyir.widgets.learn.before_after import BeforeAfter
from napari_anyir.widgets.learn.learn_form import LearnForm
from napari_anyir.widgets.learn.learn_job import Learned, LearnJob
from napari_anyir.widgets.learn.learning_curves import LearningCurves
from napari_anyir.widgets.learn.live_plot import LivePlot

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["LearnWidget"]


class LearnWidget(JobDock):
    """Adapt a model to noisy layers or files, or train it on pairs, in a process of its own.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, "no model was added")
        self._job: LearnJob | None = None
        self._curves = LearningCurves()
        self.learned: Learned | None = None
        self.form = LearnForm(self._viewer)
        self.form.set_values(last_choices.load("learn"))
        self.problem_label = small_label()
        self.run_button.setText("&Start")
        self.run_button.setToolTip("Begin; the window stays free meanwhile.")
        self.cancel_button.setText("Sto&p, keep the best")
        self.cancel_button.setToolTip("End now; what is the best so far is judged and kept.")
        self.progress_bar.setToolTip("How much of the time has passed.")
        self.plot = LivePlot()
        self.plot.setToolTip("The lower the error of pixels that are never learned, the better.")
        self.preview = BeforeAfter()
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button, 1)
        self.setMinimumWidth(290)
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addWidget(Scrolling(self.form))
        layout.addWidget(self.problem_label)
        layout.addLayout(buttons)
        layout.addWidget(self.row)
        layout.addWidget(self.plot)
        layout.addWidget(self.preview)
        layout.addStretch(1)
        self.row.tells = lambda done, total, seconds: self._curves.text
        self.form.changed.connect(self._update)
        self.runner.told.connect(self._told)
        self._update()

    # ---------------------------------------------------------------- what the user does

    def run(self) -> None:
        """Begin to learn."""
        if self.row.running or self.form.problem is not None:
            return
        last_choices.save("learn", self.form.values())
        wish = self.form.wish()
        self._job, self.learned = LearnJob(wish), None
        self._curves = LearningCurves()
        self.preview.clear()
        self.plot.show_panels(self._curves.panels)
        self._start(self._job, model=wish.model)
        # A bar that only shows that something goes on moves all the time, and each move paints the
        # whole window: without a graphics card that takes the processors from the training.
        self.progress_bar.setRange(0, 1)

    def cancel(self) -> None:
        """End now, with the best so far; the row's own `cancel` keeps nothing."""
        if self._job is not None and self.row.running:
            self._job.finish()
            self._curves.text = "Ends; the best so far is judged ..."
            self.status_label.setText(self._curves.text)
            self._update()

    # ---------------------------------------------------------------- reactions

    def _left(self) -> None:
        """Stop at once and keep nothing."""
        self.row.cancel()
        self.form.disconnect_viewer()

    def _told(self, event: dict[str, Any]) -> None:
        if event["event"] == "preview":
            self.preview.show_pair(event["before"], event["after"])
        elif self._curves.take(event):
            self.plot.show_panels(self._curves.panels)
            self.status_label.setText(self._curves.text)

    def _returned(self, learned: Learned) -> None:
        self.learned = learned
        self.status_label.setText(in_words(learned))
        if learned.added is not None:
            model_news().changed.emit()
            self.form.next_name()

    def _ended(self) -> None:
        self._job = None

    def _update(self) -> None:
        running, problem = self.row.running, self.form.problem
        self.form.setEnabled(not running)
        self.run_button.setEnabled(not running and problem is None)
        ending = self._job is not None and self._job.finishing
        self.cancel_button.setEnabled(self.row.stoppable and not ending)
        self.problem_label.complain("" if running else problem or "")
        self.problem_label.setVisible(bool(problem) and not running)


def in_words(learned: Learned) -> str:
    """Say how it ended.

    Parameters
    ----------
    learned : Learned
        What came of it.

    Returns
    -------
    str
        For the line under the bar.

    Examples
    --------
    >>> in_words(Learned("Adapted 'nano' in 75 steps: ...", "my-noise", 66.0, None))
    "Adapted 'nano' in 75 steps: ... 1.1 min. 'my-noise' is in every list of models now."
    >>> in_words(Learned("It did not help.", None, 30.0, 10**9))
    'It did not help. 0.5 min, 1.0 GB. Nothing was added.'
    """
    took = f"{learned.seconds / 60:.1f} min"
    if learned.peak_memory is not None:
        took += f", {learned.peak_memory / 1e9:.1f} GB"
    what = (
        f"'{learned.added}' is in every list of models now."
        if learned.added is not None
        else "Nothing was added."
    )
    return f"{learned.text} {took}. {what}"
