"""Curves and a sentence from the events of a training."""

from __future__ import annotations

from typing import Any

from napari_anyir.widgets.learn.live_plot import Curve, Panel

__all__ = ["LearningCurves"]


class LearningCurves:
    """Collects events.

    Attributes
    ----------
    text : str
        What the newest says.

    Examples
    --------
    >>> curves = LearningCurves()
    >>> errors = {"before": 0.02, "after": 0.018, "standard_error": 0.0001}
    >>> curves.take({"event": "look", "step": 25, "loss": 0.1, "best": True,
    ...              "unseen": errors, "beside": errors})
    True
    >>> curves.text
    'Step 25: the error of held-out pixels is 90.0 % and 90.0 % of what it was.'
    """

    def __init__(self) -> None:
        self.text = ""
        self._loss = Curve("loss")
        self._unseen, self._beside = Curve("unseen"), Curve("beside")
        self._psnr, self._input = Curve("restored"), Curve("as it is")

    @property
    def panels(self) -> list[Panel]:
        """What to draw."""
        loss = Panel("loss of the training", [self._loss], 1)
        if self._psnr.points:
            return [Panel("PSNR of held-out images, dB", [self._psnr, self._input]), loss]
        return [Panel("error of held-out pixels, %", [self._unseen, self._beside]), loss]

    def take(self, event: dict[str, Any]) -> bool:
        """Take an event; return whether there is something new to draw."""
        kind = event["event"]
        if kind == "look":
            self._take_look(event)
        elif kind == "psnr":
            self._psnr.add(event["step"], event["psnr"])
            self._input.add(event["step"], event["before"])
            self.text = (
                f"Step {event['step']}: held-out images come to {event['psnr']:.2f} dB, from "
                f"{event['before']:.2f} dB."
            )
        elif kind == "loss":
            self._loss.add(event["step"], event["loss"])
        else:
            return False
        return True

    def _take_look(self, event: dict[str, Any]) -> None:
        shares = []
        for curve, name in ((self._unseen, "unseen"), (self._beside, "beside")):
            error = event[name]
            shares.append(100 * error["after"] / error["before"] if error["before"] else 100.0)
            margin = 100 * error["standard_error"] / error["before"] if error["before"] else 0.0
            curve.add(event["step"], shares[-1], margin)
        if event["loss"] is not None:
            self._loss.add(event["step"], event["loss"])
        self.text = (
            f"Step {event['step']}: the error of held-out pixels is {shares[0]:.1f} % and "
            f"{shares[1]:.1f} % of what it was."
            if event["step"]
            else "The error of held-out pixels is measured; now it learns ..."
        )
