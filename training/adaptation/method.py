"""Adapt a model to noisy images that have no clean version: self-supervised, in minutes.

The network, which knows photographs and common noise already, is trained on by Neighbor2Neighbor
(Huang, Li, Jia, Lu and Liu, CVPR 2021) on the user's own pixels; one pixel in 17 is never a target,
and by these (Noise2Self, Batson and Royer, ICML 2019) it is decided when to stop and whether the
new weights are kept at all. Both need noise that is independent from pixel to pixel and zero on
average; or, with ``loss="l1"``, noise that leaves most pixels near their clean values.
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, Unpack

import torch

from napari_anyir.inference.arrays.intensity import Intensity
from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.model_choice import choose_model
from napari_anyir.inference.models import get_model
from napari_anyir.inference.recipe import Recipe, check_watching
from napari_anyir.keywords import check_keywords
from napari_anyir.model import AnyIR
from napari_anyir.progress import Cancel, Progress
from napari_anyir.training.adaptation.held_out_errors import HeldOutError, LearningState
from napari_anyir.training.adaptation.neighbours import Loss
from napari_anyir.training.adaptation.noisy_windows import NoisySource
from napari_anyir.training.adaptation.self_supervised import (
    AdaptationRecipe,
    SelfSupervised,
)


class AdaptationChoices(TypedDict, total=False):
    """What is learned from, and for how long: keywords of `adapt`, and its other settings."""

    axes: str | Sequence[str | None] | None
    model: str | Path | AnyIR
    intensity: Intensity
    minutes: float
    steps: int | None
    seed: int
    device: str
    recipe: AdaptationRecipe | None


@dataclass(frozen=True)
class AdaptationRecord:
    """What an adaptation did, and whether it helped.

    Parameters
    ----------
    model, sha256 : str
        The model that was adapted, and the hash of its file (of its tensors, without a file).
    kept : bool
        Whether the new weights are surely better on held-out pixels; if not, the old are returned.
    steps : int
        Steps that were taken; so many again give the same weights.
    kept_step : int
        Step whose averaged weights were the best; 0 for the original ones.
    unseen : HeldOutError
        Error of held-out pixels that are predicted without being seen (Noise2Self).
    beside : HeldOutError
        Error of held-out pixels that are predicted from a neighbour, at half size.
    correlation : float
        Of the noise of neighbouring pixels; above ``recipe.most_correlation`` nothing is trained.
    seconds : float
        Wall-clock time.
    seed : int
        Seed of windows, pairs and held-out pixels.
    device : str
        Where it was computed.
    threads : int
        Threads of torch.
    axes : tuple of str
        Letters of the axes of each image.
    intensity : tuple of (float, float)
        The values of each image that became 0 and 1.
    planes : int
        Planes of all images.
    recipe : AdaptationRecipe
        The settings.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.training.adaptation.method import adapt_with_record
    >>> image = np.random.default_rng(0).normal(0.5, 0.2, (32, 32)).astype("float32")
    >>> network, record = adapt_with_record(image, model="nano", steps=1)
    >>> record.model, record.steps, record.axes
    ('nano', 1, ('YX',))
    """

    model: str
    sha256: str
    kept: bool
    steps: int
    kept_step: int
    unseen: HeldOutError
    beside: HeldOutError
    correlation: float
    seconds: float
    seed: int
    device: str
    threads: int
    axes: tuple[str, ...]
    intensity: tuple[tuple[float, float], ...]
    planes: int
    recipe: AdaptationRecipe = field(default_factory=AdaptationRecipe)

    def __str__(self) -> str:
        """Say in one sentence what came of it."""
        if self.correlation > self.recipe.most_correlation:
            return (
                "Nothing can be learned from these images, so the original weights of "
                f"'{self.model}' are kept: neighbouring pixels share their noise, or there is "
                f"hardly any (correlation {self.correlation:.2f}, at most "
                f"{self.recipe.most_correlation:.2f})."
            )
        told = (
            f"the error of held-out pixels went from {self.unseen} unseen and from {self.beside} "
            "from a neighbour, noise included"
        )
        if self.kept:
            return f"Adapted '{self.model}' in {self.steps} steps: {told}."
        return (
            f"Adapting did not surely help in {self.steps} steps, so the original weights of "
            f"'{self.model}' are kept: {told}."
        )


def adapt(
    image: Any,
    *,
    axes: str | Sequence[str | None] | None = None,
    model: str | Path | AnyIR = "default",
    intensity: Intensity = "auto",
    minutes: float = 3.0,
    steps: int | None = None,
    seed: int = 0,
    loss: Loss = "l2",
    device: str = "auto",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> AnyIR:
    """Adapt a model to noisy images without clean ones.

    Parameters
    ----------
    image : array, or list or tuple of arrays
        A numpy, dask or zarr array as for `napari_anyir.restore`, or several with the same kind of
        noise; planes of at least 32 x 32 pixels. Only windows of them are read at a time. A
        `NoisySource`, which is open already, is taken as it is.
    axes : str or sequence of str, optional
        As for `napari_anyir.restore`; one for all images, or one for each.
    model : str, Path or AnyIR
        What to start from; it is not changed. By default what `napari_anyir.restore` would take for
        the first image.
    intensity : str or tuple of 2 float
        As for `napari_anyir.restore`; use the same when restoring.
    minutes : float
        Time after which to end; training ends earlier when the held-out pixels say so.
    steps : int, optional
        Number of steps after which to end, whatever the time. The same seed, steps and threads
        give the same weights on a CPU.
    seed : int
        Seed of all randomness.
    loss : {"l2", "l1"}
        ``"l1"`` for outliers, such as salt and pepper or hot pixels, which are not zero on average.
    device : str
        As for `napari_anyir.restore`.
    progress : callable, optional
        Called as ``progress(done, total)``, ``done`` rising to ``total``.
    cancel : object, optional
        Anything with ``is_set()``; looked at before every step.

    Returns
    -------
    AnyIR
        A `torch.nn.Module` in evaluation mode, on the CPU, for ``restore(image, model=...)``. The
        original weights if adapting did not surely help, or if neighbouring pixels share their
        noise, from which nothing can be learned; a warning then says so.

    Raises
    ------
    TypeError, ValueError
        If the image or an option cannot be used.
    ModelError, FileNotFoundError
        If the model cannot.
    Cancelled
        If ``cancel.is_set()`` became true.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_anyir
    >>> from napari_anyir.training.adaptation.method import adapt
    >>> rng = np.random.default_rng(0)
    >>> stack = rng.poisson(np.tile(np.linspace(2, 9, 64), (3, 64, 1))).astype("uint16")
    >>> adapted = adapt(stack, axes="ZYX", model="nano", steps=2)
    >>> napari_anyir.restore(stack, axes="ZYX", model=adapted).shape
    (3, 64, 64)
    """
    network, record = adapt_with_record(
        image,
        axes=axes,
        model=model,
        intensity=intensity,
        minutes=minutes,
        steps=steps,
        seed=seed,
        device=device,
        progress=progress,
        cancel=cancel,
        recipe=AdaptationRecipe(loss=loss),
    )
    if not record.kept:
        warnings.warn(str(record), UserWarning, stacklevel=2)
    return network


def adapt_with_record(
    image: Any,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    stop: Cancel | None = None,
    watch: Callable[[LearningState], None] | None = None,
    **choices: Unpack[AdaptationChoices],
) -> tuple[AnyIR, AdaptationRecord]:
    """Adapt a model and say what came of it.

    Parameters
    ----------
    image, progress, cancel
        As for `adapt`.
    stop : object, optional
        Anything with ``is_set()``: ends as if time were over, with the best weights so far.
    watch : callable, optional
        Called as ``watch(state)`` with a `LearningState` before the first step and after every look
        at the held-out pixels.
    **choices
        The keywords of `adapt` axes, model, intensity, minutes, steps, seed and device; and
        ``recipe``, an `AdaptationRecipe` with other settings of the training, the loss among them.

    Returns
    -------
    network : AnyIR
        As from `adapt`.
    record : AdaptationRecord
        Whether it helped, and all that its card says.

    Raises
    ------
    TypeError, ValueError, ModelError, FileNotFoundError, Cancelled
        As `adapt`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.training.adaptation.method import adapt_with_record
    >>> noisy = np.random.default_rng(0).poisson(3, (32, 32)).astype("uint16")
    >>> network, record = adapt_with_record(noisy, model="nano", steps=4)
    >>> record.steps, record.axes, record.intensity
    (4, ('YX',), ((0.0, 9.0),))
    """
    started = time.monotonic()
    check_keywords("adapt_with_record", choices, AdaptationChoices)
    check_watching(progress, cancel)
    device = Recipe(device=choices.get("device", "auto")).device  # refuses what is no device
    minutes, steps = choices.get("minutes", 3.0), choices.get("steps")
    seed = choices.get("seed", 0)
    _check_ends(minutes, steps, seed)
    recipe = choices.get("recipe") or AdaptationRecipe()
    sources = open_sources(image, choices.get("axes"), choices.get("intensity", "auto"))
    first = sources[0]
    chosen = choose_model(
        choices.get("model", "default"), first.image.dtype, colour=first.layout.colour
    )
    loaded = get_model(chosen.model)
    run = SelfSupervised(loaded.anyir, sources, recipe, seed, resolve_device(device))
    run.train(
        steps=steps,
        until=started + 60 * minutes,
        progress=progress,
        cancel=cancel,
        stop=stop,
        watch=watch,
    )
    record = AdaptationRecord(
        model=loaded.name,
        sha256=loaded.sha256,
        kept=run.helped,
        steps=run.step,
        kept_step=run.best_step if run.helped else 0,
        unseen=run.unseen,
        beside=run.beside,
        correlation=run.correlation,
        seconds=time.monotonic() - started,
        seed=seed,
        device=str(run.device),
        threads=torch.get_num_threads(),
        axes=tuple(source.layout.axes for source in sources),
        intensity=tuple((source.mapping.low, source.mapping.high) for source in sources),
        planes=sum(source.layout.count for source in sources),
        recipe=recipe,
    )
    network = copy.deepcopy(loaded.anyir).cpu()
    if run.helped:
        network.load_state_dict(run.best)
    return network.eval().requires_grad_(False), record


def open_sources(
    image: Any, axes: str | Sequence[str | None] | None, intensity: Intensity
) -> list[NoisySource]:
    """Open one array or several.

    Parameters
    ----------
    image, axes, intensity
        As for `adapt`.

    Returns
    -------
    list of NoisySource
        One per array.

    Raises
    ------
    TypeError, ValueError
        If one cannot be used, or there is not one ``axes`` for each.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.training.adaptation.method import open_sources
    >>> two = open_sources([np.zeros((32, 40)), np.zeros((5, 32, 32))], None, "auto")
    >>> [source.layout.axes for source in two]
    ['YX', 'ZYX']
    """
    images = list(image) if isinstance(image, list | tuple) else [image]
    letters = [axes] * len(images) if axes is None or isinstance(axes, str) else list(axes)
    if not images:
        raise ValueError("There is no image to adapt to; give at least one.")
    if len(letters) != len(images):
        raise ValueError(
            f"There are {len(images)} images and {len(letters)} axes; give one string for each."
        )
    return [NoisySource.open(i, a, intensity) for i, a in zip(images, letters, strict=True)]


def _check_ends(minutes: float, steps: int | None, seed: int) -> None:
    if isinstance(minutes, bool) or not isinstance(minutes, int | float):
        raise TypeError(f"minutes must be a number, not {type(minutes).__name__}.")
    if not (math.isfinite(minutes) and minutes > 0):
        raise ValueError(f"minutes must be a number above 0, not {minutes:g}.")
    for name, value, least in (("steps", steps, 1), ("seed", seed, 0)):
        if name == "steps" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number, not {type(value).__name__}.")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}.")
