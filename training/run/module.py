"""The one LightningModule of all runs: a step, its learning rate, its average, its position."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from napari_anyir.model import AnyIR
from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.data.crop_source import Source, StepCrops
from napari_anyir.training.run.averaging import start_average, update_average
from napari_anyir.training.run.clock import TrainingClock
from napari_anyir.training.run.cuda.planes import planes_possible, use_planes
from napari_anyir.training.run.losses import restoration_loss
from napari_anyir.training.run.muon import Muon
from napari_anyir.training.run.recomputation import recompute_blocks
from napari_anyir.training.run.schedule import Position, Schedule
from napari_anyir.training.run.step_memory import Parts, out_of_memory
from napari_anyir.training.run.step_plan import StepPlan

MOST_SKIPPED = 100
"""Steps in a row without a finite gradient after which a run is given up."""


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Switch mixed precision off for a while, where it can be on."""
    if device.type in ("cuda", "cpu"):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


class RestorationModule(LightningModule):
    """A network in training.

    Parameters
    ----------
    config : TrainingConfig
        The run.
    source : Source
        Its data.
    network : AnyIR, optional
        Network to go on from; by default one with random weights from the run's seed.
    device : torch.device, optional
        Where it will train; by default the CPU.
    plan : StepPlan, optional
        In how many parts steps are taken; by default as the configuration says.
    say : callable
        Told when memory turns out to be short.

    Examples
    --------
    See ``docs/training.md``; `napari_anyir.training.run.train.train` puts it to work.
    """

    def __init__(
        self,
        config: TrainingConfig,
        source: Source,
        network: AnyIR | None = None,
        device: torch.device | None = None,
        *,
        plan: StepPlan | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__()
        self.config, self.source = config, source
        if network is None:
            torch.manual_seed(config.seed)
            network = AnyIR(config.network_config)
        self.network = network.requires_grad_(True).train()
        self.channels_last = config.channels_last
        if config.channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = start_average(self.network) if config.average else None
        self.plan = plan or StepPlan.of_config(config)
        self.say, self._recomputes = say, False
        if self.plan.again:
            self._recompute()
        elif config.compile:
            self._compile(device or torch.device("cpu"))
        self.schedule = Schedule(config, source.items)
        self.position, self.began = Position(), Position()
        self._count = 0
        # Kept on the device: to read a number there is to wait for all that it was given to do.
        self._loss = torch.zeros(())
        self._losses = torch.zeros(2)  # their sum and count since they were told
        self._skips = torch.zeros(2, dtype=torch.int64)  # in all, in a row
        self._skipped_before = 0
        self.waits_are_free = True
        self._wants_end = False
        self.clock = TrainingClock()
        self._last = 0.0

    def _compile(self, device: torch.device) -> None:
        """Compile block by block: those of one size share their code, so it takes a minute.

        In place: names of weights stay as they are. Each crop size is compiled for itself.
        """
        if self.config.planes == "auto" and planes_possible(self.network, device):
            use_planes(self.network)
            self.channels_last = False
        # Four levels with up to two widths, for each crop size; the default is 8 in all. Since 2.6
        # PyTorch also calls it recompile_limit.
        torch._dynamo.config.cache_size_limit = max(64, torch._dynamo.config.cache_size_limit)
        for _, _, block in self.network.named_blocks():
            block.compile(dynamic=False)

    @property
    def kept(self) -> AnyIR:
        """The network that is saved: the average, or the last weights where there is none."""
        network: nn.Module = self.network if self.average is None else self.average
        return network  # type: ignore[return-value]

    @property
    def progress(self) -> float:
        """Fraction of the run that is over."""
        return self.schedule.progress(self.position)

    def coming_steps(self) -> Iterator[StepCrops]:
        """Say what each step from here on is made of, without end.

        Loaders ask for a few steps ahead; in a run by the clock those see the phase of now.
        """
        ahead = replace(self.position)
        while True:
            ahead.seconds = self.position.seconds
            phase = self.schedule.phase(ahead)
            yield StepCrops(ahead.seen, phase.batch, phase.crop)
            ahead.step += 1
            ahead.seen += phase.batch

    def train_dataloader(self) -> Iterable[Any]:
        """Return the source's loader, for this device."""
        return self.source.loader(self.coming_steps, self.global_rank, self.trainer.world_size)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser of the weights that learn."""
        settings = self.config.optimiser
        if settings.method == "muon":
            return Muon(
                self.network.parameters(),
                settings.learning_rate,
                settings.betas,
                settings.weight_decay,
            )
        # Fused: hundreds of small tensors are updated in one call, which counts on a CPU too.
        return torch.optim.AdamW(
            self.network.parameters(),
            settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def on_train_start(self) -> None:
        """Start the clock, once the data are there."""
        self.source.prepare(self.device)
        self._losses, self._skips = self._losses.to(self.device), self._skips.to(self.device)
        self.waits_are_free = self.device.type == "cpu"
        self.began = replace(self.position)
        self.clock.start()
        self._last = self.clock.seconds

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Restore a batch and return its loss.

        Parameters
        ----------
        batch
            What the source's loader gave.
        batch_idx : int
            Ignored: the position counts.

        Returns
        -------
        Tensor
            Scalar; NaN gradients follow from a loss that is not finite, on every device.
        """
        rate = self.schedule.rate(self.position)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        world = self.trainer.world_size
        # Data are made in float32: a blur in bfloat16 would be another blur.
        with _full_precision(self.device):
            degraded, clean = self.source.batch(batch, self.device, self.global_rank, world)
        if self.channels_last:
            degraded = degraded.contiguous(memory_format=torch.channels_last)
        self._count = len(degraded) * world
        loss, self._loss = self._within_memory(degraded, clean)
        # An infinite difference has a finite gradient under L1, which would be followed.
        return loss * torch.where(self._loss.isfinite(), 1.0, float("nan"))

    def _within_memory(self, degraded: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step's crops in more parts where memory turns out to be short."""
        phase = self.schedule.phase(self.position)
        while True:
            try:
                return self._accumulated(degraded, clean, self.plan.of(phase))
            except (RuntimeError, MemoryError) as error:
                alone = self.trainer.world_size == 1
                if not out_of_memory(error) or not alone:
                    raise
                if not self.plan.tighten(phase, len(degraded)):
                    raise
                # The traceback holds the activations that are to go.
                error.__traceback__ = None
            if degraded.device.type == "cuda":
                torch.cuda.empty_cache()
            parts = self.plan.of(phase)
            if parts.again:
                self._recompute()
            self.say(f"Memory was short: a step is taken in {parts.count} parts from here on.")

    def _recompute(self) -> None:
        if not self._recomputes:
            recompute_blocks(self.network)
            self._recomputes = True

    def _accumulated(self, degraded: Tensor, clean: Tensor, split: Parts) -> tuple[Tensor, Tensor]:
        """Return a loss whose gradient is that of all crops, and the mean loss of all crops.

        The gradients of parts enter as a sum of products with the weights, so that they reach the
        optimiser by the same way as those of a whole step. Of several devices the last part keeps
        its activations until the backward pass, in which they exchange what they found.
        """
        count = split.count
        # Of several devices they must come by the backward pass that exchanges them; on a card a
        # step in one part is spared the hundreds of small products.
        alone = self.trainer.world_size == 1 and (count > 1 or degraded.device.type == "cpu")
        at_once = count if alone else count - 1
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        gradients: list[Tensor | None] = [None] * len(weights)
        total = torch.zeros((), device=degraded.device)
        parts = list(zip(degraded.chunk(count), clean.chunk(count), strict=True))
        for number, (image, truth) in enumerate(parts):
            loss = restoration_loss(self.network(image), truth, self.config.fourier_weight)
            loss = loss / len(parts)
            total += loss.detach()
            if number < at_once:
                found: Sequence[Tensor | None] = torch.autograd.grad(
                    loss, weights, allow_unused=True
                )
                for at, new in enumerate(found):
                    old = gradients[at]
                    gradients[at] = new if old is None else old + new if new is not None else old
                loss = loss.detach()
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                loss = loss + (weight * gradient).sum()
        return loss, total

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop at the end of the run."""
        if self.progress >= 1:
            self.trainer.should_stop = True

    def take_loss(self) -> float:
        """Return the mean loss since the last call; NaN if no step counted."""
        self.read_skipped()
        total, count = self._losses.tolist()
        self._losses.zero_()
        return total / count if count else float("nan")

    def read_skipped(self) -> None:
        """Bring the steps without a finite gradient into the position; wait for the device.

        Raises
        ------
        ValueError
            If the last `MOST_SKIPPED` or more of them were thrown away.
        """
        skipped, in_a_row = self._skips.tolist()
        self.position.skipped = self._skipped_before + skipped
        if in_a_row >= MOST_SKIPPED:
            raise ValueError(
                f"The last {in_a_row} gradients were not finite; continue from the last "
                "checkpoint with a lower optimiser.learning_rate or with optimiser.clip=1."
            )

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradient; throw it away where it is not finite.

        Gradients are summed over the devices by now, so all of them decide alike. The optimiser
        leaves weights and moments alone where it is told of an infinity, as by PyTorch's scaler.
        """
        clip = self.config.optimiser.clip
        norm = nn.utils.clip_grad_norm_(
            self.network.parameters(), float("inf") if clip is None else clip
        )
        finite = norm.isfinite()
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        in_all, in_a_row = self._skips
        self._skips = torch.stack((in_all + ~finite, (in_a_row + 1) * ~finite))
        self._losses += torch.where(
            finite, torch.stack((self._loss, torch.ones_like(self._loss))), 0
        )
        if self.waits_are_free:
            self.read_skipped()

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """Step, average and move on."""
        super().optimizer_step(*arguments, **named)
        position = self.position
        position.step += 1
        position.seen += self._count
        if self.average is not None:
            update_average(self.average, self.network, self.config.average, position.step)
        now = self.clock.seconds
        position.seconds = self._agree(position.seconds + now - self._last)
        self._last = now

    def end_early(self) -> None:
        """End the run after this step, or after the next one where several devices must agree."""
        self._wants_end = True
        if self.trainer.world_size == 1:
            self.trainer.should_stop = True

    def _agree(self, seconds: float) -> float:
        """Return the first device's clock: rates and endings must be the same on all."""
        if self.trainer.world_size == 1:
            return seconds
        # MPS knows no float64, and float32 loses milliseconds after hours.
        told = torch.tensor(
            [int(1e6 * seconds), int(self._wants_end)], dtype=torch.int64, device=self.device
        )
        torch.distributed.broadcast(told, 0)
        if told[1]:
            self.trainer.should_stop = True
        return float(told[0]) / 1e6

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the position to what is saved."""
        self.read_skipped()
        checkpoint["position"] = asdict(self.position)
        checkpoint["parts"] = self.plan.to_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the position from what was saved."""
        self.position = Position(**checkpoint["position"])
        self._skipped_before = self.position.skipped
