"""The dock *What if*: choose changes to the network, run trials, and list what came of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QApplication

from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.layers.contrast import slider_range, span, widen_slider
from napari_anyir.widgets.layers.layer_origins import WHAT_IF
from napari_anyir.widgets.layers.shown_plane import read_shown_plane
from napari_anyir.widgets.restore.result_script import Origin, origin
from napari_anyir.widgets.what_if.trial_job import (
    Changes,
    Outcome,
    Trial,
    WhatIfJob,
    appearance,
    trial_layers,
    what_if_script,
)
from napari_anyir.widgets.what_if.trial_table import decibel
from napari_anyir.widgets.what_if.what_if_form import WhatIfForm

if TYPE_CHECKING:
    from napari.components import ViewerModel

SECTION = "what_if"
"""Key of the remembered settings in the manifest."""


class WhatIfWidget(WhatIfForm):
    """Ask the network what a part does, by taking it away.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._job: WhatIfJob | None = None
        self._known: tuple[WhatIfJob, Outcome] | None = None
        self._newest: tuple[Origin, WhatIfJob, Trial, Outcome] | None = None
        self._origin: Origin | None = None
        self.set_values(last_choices.load(SECTION))
        self._connect()
        self._structure_changed()
        self._guess_reference()
        self._update()

    def _connect(self) -> None:
        self.model_choice.structure_changed.connect(self._structure_changed)
        self.model_choice.failed.connect(self.status_label.complain)
        self.ushape.changed.connect(self._choices_changed)
        self.layer_box.layer_changed.connect(self._layer_chosen)
        self.reference_box.layer_changed.connect(self._choices_changed)
        self.action_box.currentIndexChanged.connect(self._choices_changed)
        self.lambda_check.toggled.connect(self._choices_changed)
        self.lambda_box.valueChanged.connect(self._choices_changed)
        self.parts_widget.changed.connect(self._choices_changed)
        self.each_button.clicked.connect(self.run_each)
        self.script_button.clicked.connect(self.copy_script)

    # ---------------------------------------------------------------- what the user does

    def run(self) -> None:
        """Make all ticked changes at once, in a thread."""
        self._try((self.changes,))

    def run_each(self) -> None:
        """Make the ticked changes one after the other."""
        self._try(self.each)

    def _try(self, trials: tuple[Changes, ...]) -> None:
        if self.runner.running:
            return
        problem = self.problem
        if problem is not None:
            self._complain(problem)
            return
        layer, reference = self.layer_box.layer, self.reference_box.layer
        try:
            plane = read_shown_plane(layer, self._viewer.dims)
        except (TypeError, ValueError) as error:
            self._complain(str(error))
            return
        last_choices.save(SECTION, self.values())
        job = WhatIfJob(
            plane,
            trials,
            self.model_choice.model,
            self.model_choice.device,
            None if reference is None else image_layers.pixels(reference),
            appearance(layer),
        )
        if self._known is not None:
            before, outcome = self._known
            if plane.same(before.plane) and before.model == job.model:
                job = replace(job, intensity=outcome.intensity)
                if before.device == job.device:
                    job = replace(job, untouched=outcome.untouched)
        self._job, self._origin = job, origin(layer)
        self._start(job, source=layer, model=job.model)

    def copy_script(self) -> None:
        """Put a script that makes the newest trial again on the clipboard."""
        clipboard = QApplication.clipboard()
        if self._newest is None or clipboard is None:
            return
        where, job, trial, outcome = self._newest
        clipboard.setText(what_if_script(where, job, trial, outcome.intensity))
        self.status_label.setText("The script is on the clipboard.")

    # ---------------------------------------------------------------- what the worker says

    def _returned(self, outcome: Outcome) -> None:
        job = self._job
        if job is None or self._origin is None:
            return
        # The reference is not needed again, and may be large.
        kept = replace(job, reference=None)
        self._known = (kept, replace(outcome, trials=()))
        for trial in outcome.trials:
            self.table.add(trial)
        trial = outcome.trials[-1]
        self._newest = (self._origin, kept, trial, self._known[1])
        for options in trial_layers(job, outcome, trial):
            self._show(options)
        base = "" if outcome.psnr is None else f" Untouched: {decibel(outcome.psnr)} dB."
        names = "; ".join(trial.changes)
        self.status_label.setText(f"Shown: {names}.{base}")

    def _show(self, options: dict[str, Any]) -> None:
        """Renew the layer of an earlier trial, or add one."""
        layers = self._viewer.layers
        mark = options["metadata"][WHAT_IF]
        there = next((item for item in layers if item.metadata.get(WHAT_IF) == mark), None)
        if there is not None and there.ndim == len(options["scale"]):
            there.data = options["data"]
            for name in ("scale", "translate", "rotate", "shear", "affine", "metadata"):
                setattr(there, name, options[name])
            if "contrast_limits" in options:
                there.contrast_limits = options["contrast_limits"]
            return
        active = layers.selection.active
        name = image_layers.unique_name(options["name"], {item.name for item in layers})
        added = self._viewer.add_image(**{**options, "name": name})
        source = next((item for item in layers if str(item.unique_id) == mark[0]), None)
        if mark[1] == "restored" and source is not None and not added.rgb:
            widen_slider(added, span(options["data"], known=slider_range(source)))
        added.visible = mark[1] == "restored"  # the difference would hide it
        if active is not None:
            layers.selection.active = active

    def _ended(self) -> None:
        self._job = self._origin = None

    # ---------------------------------------------------------------- reactions

    def _guess_reference(self) -> None:
        """Choose the clean version of a sample."""
        layer = self.layer_box.layer
        clean = f"{layer.name} (clean)" if layer is not None else ""
        there = clean in self._viewer.layers
        self.reference_box.choose(self._viewer.layers[clean] if there else None)

    def _layer_chosen(self) -> None:
        self._guess_reference()
        self._choices_changed()

    def _structure_changed(self) -> None:
        structure = self.model_choice.structure
        self.ushape.set_structure(structure)
        if structure is not None:
            numbers = ["tau_adj"] if "alpha" in structure.parts else []
            self.parts_widget.offer([*structure.parts, *numbers])
            self.lambda_check.setEnabled("spatial" in structure.parts)
        self._choices_changed()

    def _choices_changed(self) -> None:
        if not self.runner.running:
            self.status_label.setText(self.problem or "; ".join(self.changes))
        self._update()

    def _layer_removed(self, layer: Any) -> None:
        tag = str(getattr(layer, "unique_id", ""))
        if self._known is not None and tag == self._known[0].plane.tag:
            self._known = self._newest = None  # its pixels must not stay in memory
            self._update()

    def _update(self) -> None:
        super()._update()
        ready = not self.row.running and self.problem is None
        self.lambda_box.setEnabled(self.lambda_check.isChecked())
        self.run_button.setEnabled(ready)
        self.each_button.setEnabled(ready and len(self.each) > 1)
        self.script_button.setEnabled(self._newest is not None)

    def _shown(self) -> None:
        """Look for devices when the widget is first seen, which is its first use."""
        self.model_choice.find_devices()

    def _left(self) -> None:
        self.model_choice.stop()
