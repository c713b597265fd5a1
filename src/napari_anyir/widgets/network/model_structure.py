"""Which blocks and parts a model has, from its card; no Qt, and no torch where the card tells."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_anyir.errors import ModelError
from napari_anyir.inference.inside.network_parts import shown_parts
from napari_anyir.model.config import AnyIRConfig
from napari_anyir.weights.card import ANYIR, not_anyir
from napari_anyir.widgets.kit.problems import load_torch

if TYPE_CHECKING:
    from napari_anyir.weights import ModelCard

PARTS = {
    "alpha": "Alpha, scaled (α′): local detail, stronger or weaker as this image asks (Alg. 1)",
    "beta": "Beta (β): features that go to the gate as they are (Alg. 1)",
    "gamma": "Gamma (γ): what opens and shuts the gate, pixel by pixel (Alg. 1)",
    "attention": "Attention (A): channels of the whole image, mixed by how alike they are",
    "gated": "Gated (G): what the gate lets through",
    "spatial": "Spatial (F_s): both halves put together pixel by pixel (Alg. 2)",
    "frequency": "Frequency (F_f): both halves put together over the whole image (Alg. 2)",
    "fused": "Fused (F): spatial and frequency, mixed by a learnt weight, lambda",
    "output": "What the block hands on to the next one",
}
"""Parts of a block in the order of computation, and what they are."""


@dataclass(frozen=True)
class Block:
    """One DAB of a network.

    Parameters
    ----------
    name : str
        Address such as ``encoder1.0``.
    scale : int
        Image pixels per pixel of its maps: 1, 2, 4 or 8.
    channels : int
        Channels C of the block.
    """

    name: str
    scale: int
    channels: int

    @property
    def stage(self) -> str:
        """Stage of the block, such as ``encoder1``."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Structure:
    """Blocks and parts of a network.

    Parameters
    ----------
    blocks : tuple of Block
        In the order of computation.
    parts : tuple of str
        In the order of computation.

    Examples
    --------
    >>> structure = Structure((Block("encoder1.0", 1, 16), Block("latent.0", 8, 128)), ("fused",))
    >>> structure.names
    ('encoder1.0', 'latent.0')
    """

    blocks: tuple[Block, ...]
    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Addresses of all blocks."""
        return tuple(block.name for block in self.blocks)

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Addresses of the blocks by stage, stages without blocks left out."""
        found: dict[str, tuple[str, ...]] = {}
        for block in self.blocks:
            found[block.stage] = (*found.get(block.stage, ()), block.name)
        return found

    def order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Bring addresses into the order of computation; those that are not there are left out."""
        wanted = set(names)
        return tuple(name for name in self.names if name in wanted)

    def patterns(self, names: Collection[str]) -> tuple[str, ...]:
        """Name blocks by as few patterns as can be.

        Parameters
        ----------
        names : collection of str
            Addresses.

        Returns
        -------
        tuple of str
            ``*`` for all, ``encoder1.*`` for a whole stage, addresses otherwise.

        Examples
        --------
        >>> blocks = tuple(Block(name, 1, 8) for name in ("encoder1.0", "latent.0", "latent.1"))
        >>> Structure(blocks, ()).patterns(["latent.0", "latent.1"])
        ('latent.*',)
        """
        chosen = set(names)
        if chosen and chosen >= set(self.names):
            return ("*",)
        found: list[str] = []
        for stage, blocks in self.stages().items():
            if len(blocks) > 1 and chosen >= set(blocks):
                found.append(f"{stage}.*")
            else:
                found += [name for name in blocks if name in chosen]
        return tuple(found)


def structure_of(card: ModelCard) -> Structure | None:
    """Read the structure from a card, without torch.

    Parameters
    ----------
    card : ModelCard
        The model's.

    Returns
    -------
    Structure or None
        None where only the checkpoint can tell; `StructureJob` asks it.

    Examples
    --------
    >>> from napari_anyir.weights import find_model
    >>> structure_of(find_model("nano")).blocks[0]
    Block(name='encoder1.0', scale=2, channels=24)
    """
    try:
        config = AnyIRConfig.from_dict(card.config)
    except (TypeError, ValueError):
        return None
    blocks = tuple(
        Block(name, stage.scale, stage.channels)
        for stage in config.stages()
        for name in stage.blocks
    )
    return Structure(blocks, shown_parts(config))


@dataclass(frozen=True)
class StructureJob:
    """Asks a checkpoint that has no card, in a thread: it has to be loaded for that.

    Parameters
    ----------
    model : str
        Name or path.

    Examples
    --------
    >>> StructureJob("nano")(None, None).blocks[0]
    Block(name='encoder1.0', scale=2, channels=24)
    """

    model: str

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return f"Reading the model {self.model!r}"

    def __call__(self, progress: Any, cancel: Any) -> Structure:
        """Read blocks and parts off the network."""
        from napari_anyir.weights import find_model

        card = find_model(self.model)
        if card.architecture != ANYIR:  # said at once, before its package is loaded
            raise ModelError(not_anyir(card.name, card.architecture))
        load_torch()
        from napari_anyir.inference.models import get_model

        network = get_model(self.model).anyir
        blocks = tuple(
            Block(name, scale, int(block.fusion.project.in_channels))
            for name, scale, block in network.named_blocks()
        )
        return Structure(blocks, shown_parts(network.config))
