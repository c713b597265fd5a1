"""All that is decided once for a run: network, device, precision, range and how memory is used."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import IntensityRange, for_model
from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.engine.execution import Placement
from napari_anyir.inference.engine.run_plan import network_precision, plan_run, working_precision
from napari_anyir.inference.inside.interventions import make_observer
from napari_anyir.inference.model_choice import choose_model
from napari_anyir.inference.models import LoadedModel, get_model
from napari_anyir.inference.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Prepared:
    """A recipe with everything decided; what the drivers of planes are given.

    Parameters
    ----------
    recipe : Recipe
        What was asked for.
    layout : Layout
        Where the planes are.
    loaded : LoadedModel
        The network.
    device : torch.device
        Where it computes.
    precision : str
        What it computes in.
    side : int or None
        Side length of the tiles in which planes have to be restored, if they have.
    mapping : IntensityRange or None
        Which values the network sees as 0 and 1; None before the pixels were looked at.
    reason : str or None
        Why this model, where the kind of the image chose it.
    """

    recipe: Recipe
    layout: Layout
    loaded: LoadedModel
    device: torch.device
    precision: str
    side: int | None = None
    mapping: IntensityRange | None = None
    reason: str | None = None

    @property
    def range(self) -> IntensityRange:
        """The mapping, which must have been found.

        Raises
        ------
        RuntimeError
            If it has not.
        """
        if self.mapping is None:
            raise RuntimeError("The intensities of the image have not been looked at yet.")
        return self.mapping

    @property
    def placement(self) -> Placement:
        """Where and in what the network computes."""
        return Placement(self.device, self.precision, self.recipe.tile)

    def with_range(self, mapping: IntensityRange) -> Prepared:
        """Return the same with the mapping that was found."""
        return replace(self, mapping=mapping)


def load_chosen(
    recipe: Recipe, layout: Layout, dtype: np.dtype[Any]
) -> tuple[Recipe, LoadedModel, str | None]:
    """Choose and load the model, and see that it has what is to be changed.

    Parameters
    ----------
    recipe : Recipe
        What the user chose.
    layout : Layout
        Where the planes are.
    dtype : numpy.dtype
        Type of the image.

    Returns
    -------
    recipe : Recipe
        With the model that is taken, and the intensities as that model wants them.
    loaded : LoadedModel
        The network.
    reason : str or None
        Why this model, where the kind of the image chose it.

    Raises
    ------
    ValueError
        If the network lacks a part that is to be changed.
    ModelError, FileNotFoundError
        As `napari_anyir.load_model`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> from napari_anyir.inference.preparation import load_chosen
    >>> from napari_anyir.inference.recipe import Recipe
    >>> _, loaded, reason = load_chosen(Recipe(), Layout("YX", (8, 8)), np.dtype(np.uint16))
    >>> loaded.name, reason
    ('denoise', 'the image has one channel')
    """
    choice = choose_model(recipe.model, dtype, colour=layout.colour)
    loaded = get_model(choice.model)
    if recipe.changes:
        make_observer(loaded.anyir, recipe.changes)  # refuses what the network has not
    intensity = for_model(recipe.intensity, loaded.name)
    return replace(recipe, model=choice.model, intensity=intensity), loaded, choice.reason


def prepare(recipe: Recipe, layout: Layout, dtype: np.dtype[Any]) -> Prepared:
    """Decide all of a run that needs no pixel.

    Parameters
    ----------
    recipe : Recipe
        What the user chose.
    layout : Layout
        Where the planes are.
    dtype : numpy.dtype
        Type of the image.

    Returns
    -------
    Prepared
        Without the range.

    Raises
    ------
    ValueError
        If the device is not here, or the network lacks a part that is to be changed.
    ModelError, FileNotFoundError
        As `napari_anyir.load_model`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> from napari_anyir.inference.preparation import prepare
    >>> from napari_anyir.inference.recipe import Recipe
    >>> recipe = Recipe(model="nano", device="cpu", tile=128)
    >>> prepared = prepare(recipe, Layout("YX", (300, 200)), np.dtype(np.uint8))
    >>> prepared.precision, prepared.side
    ('float32', 128)
    """
    device = resolve_device(recipe.device)
    recipe, loaded, reason = load_chosen(recipe, layout, dtype)
    config = loaded.network.config
    if not math.prod(layout.shape):
        precision = network_precision(recipe.precision, config, device)
        return Prepared(recipe, layout, loaded, device, precision, reason=reason)
    size = layout.plane_shape[0], layout.plane_shape[1]
    precision = working_precision(recipe.precision, config, size, device, recipe.tile)
    prepared = Prepared(recipe, layout, loaded, device, precision, reason=reason)
    return replace(prepared, side=tile_side(prepared))


def tile_side(prepared: Prepared) -> int | None:
    """Side length of the tiles in which planes have to be restored, if they have.

    Parameters
    ----------
    prepared : Prepared
        Its planes have pixels.

    Returns
    -------
    int or None
        Pixels; None if a plane is restored as a whole.
    """
    recipe = prepared.recipe
    if recipe.changes or recipe.strength == 0:
        return None
    shape = (1, 3, *prepared.layout.plane_shape[:2])
    config = prepared.loaded.network.config
    return plan_run(config, shape, prepared.device, prepared.precision, recipe.tile).tile
