"""In how many parts the steps of a run are taken: chosen from the memory that is free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from napari_anyir.training.config import Phase, TrainingConfig
from napari_anyir.training.run.machines import Machines
from napari_anyir.training.run.step_memory import (
    Parts,
    constant_bytes,
    free_for_training,
    gigabytes,
    measure_crop,
    plan_parts,
    step_bytes,
)


class StepPlan:
    """In how many parts the steps of each phase are taken; tightened where memory was short.

    Parameters
    ----------
    parts : mapping of str to Parts
        By the phase's ``"CROPxBATCH"``.

    Examples
    --------
    >>> plan = StepPlan({"128x16": Parts(2)})
    >>> plan.of(Phase(crop=128, batch=16)), plan.of(Phase(crop=64, batch=8))
    (Parts(count=2, again=False), Parts(count=1, again=False))
    >>> StepPlan.from_dict(plan.to_dict()).of(Phase(crop=128, batch=16)).count
    2
    """

    def __init__(self, parts: Mapping[str, Parts] | None = None) -> None:
        self._parts = dict(parts or {})

    @classmethod
    def of_config(cls, config: TrainingConfig) -> StepPlan:
        """Take the parts that a configuration asks for, whatever the memory."""
        return cls({cls._key(phase): Parts(config.accumulate) for phase in config.phases})

    @staticmethod
    def _key(phase: Phase) -> str:
        return f"{phase.crop}x{phase.batch}"

    def of(self, phase: Phase) -> Parts:
        """Parts of the steps of a phase."""
        return self._parts.get(self._key(phase), Parts())

    @property
    def again(self) -> bool:
        """Whether any phase computes activations again."""
        return any(parts.again for parts in self._parts.values())

    def tighten(self, phase: Phase, crops: int) -> bool:
        """Take more parts, or compute activations again; False if there is no tighter way.

        Parameters
        ----------
        phase : Phase
            In which memory was short.
        crops : int
            Of a step, on this device.
        """
        now = self.of(phase)
        more = [count for count in range(now.count + 1, crops + 1) if crops % count == 0]
        if more:
            self._parts[self._key(phase)] = Parts(more[0], now.again)
        elif not now.again:
            self._parts[self._key(phase)] = Parts(now.count, again=True)
        else:
            return False
        return True

    def to_dict(self) -> dict[str, list[int]]:
        """Return plain values, for a checkpoint."""
        return {key: [parts.count, int(parts.again)] for key, parts in self._parts.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[int]]) -> StepPlan:
        """Read what `to_dict` wrote."""
        return cls({key: Parts(int(v[0]), bool(v[1])) for key, v in values.items()})


def plan_steps(
    config: TrainingConfig,
    precision: str,
    machines: Machines,
    *,
    before: StepPlan | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> StepPlan:
    """Choose for each phase of a run in how many parts its steps are taken.

    Parameters
    ----------
    config : TrainingConfig
        The run.
    precision : str
        ``"32-true"`` or ``"bf16-mixed"``.
    machines : Machines
        Where it trains.
    before : StepPlan, optional
        That of the run which goes on: it is kept where it fits, so that the run goes on to the bit.
    say : callable
        Told what was chosen, and why.

    Returns
    -------
    StepPlan
        The choice.

    Raises
    ------
    ValueError
        If not even one crop fits.
    """
    network, device = config.network_config, machines.device
    crop = measure_crop(network, config.phases[0].crop, precision=precision, device=device)
    constant = constant_bytes(network, averaged=config.average > 0)
    room, count = free_for_training(device, machines.devices), machines.count
    chosen: dict[str, Parts] = {}
    for phase in config.phases:
        key = f"{phase.crop}x{phase.batch}"
        whole = step_bytes(phase, crop, constant, Parts(config.accumulate), count)
        parts = None if before is None else before.of(phase)
        if parts is not None and parts.count % config.accumulate:
            parts = None  # another number of parts is asked for
        if parts is None or (
            room is not None and step_bytes(phase, crop, constant, parts, count) > room
        ):
            found = plan_parts(phase, crop, constant, room, devices=count, least=config.accumulate)
            if parts is not None:
                say(
                    "Less memory is free than when the run began, so its steps take other parts: "
                    "it goes on as well, but not equal to the bit."
                )
            parts = found
        chosen[key] = parts
        if parts != Parts(config.accumulate):
            taken = step_bytes(phase, crop, constant, parts, count)
            say(
                f"Memory: a step of {phase.batch} crops of {phase.crop} would take "
                f"{gigabytes(whole)}, and {gigabytes(room or 0)} are free for it; it is taken in "
                f"{parts.count} parts{_RECOMPUTED if parts.again else ''} ({gigabytes(taken)})."
            )
    return StepPlan(chosen)


_RECOMPUTED = ", with activations computed again instead of kept, which costs a third more time"
