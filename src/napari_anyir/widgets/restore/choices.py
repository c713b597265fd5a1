"""What can be restored of a layer, and the arguments that a user chooses; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ALL, PLANE, RECTANGLE, FIELD = "all", "plane", "rectangle", "field"

WHAT = {
    ALL: "All planes",
    PLANE: "The shown plane",
    RECTANGLE: "A rectangle",
    FIELD: "The visible field",
}
"""What can be restored of a layer, and what the widget calls it."""


@dataclass(frozen=True)
class RestoreChoices:
    """What the user chose: the arguments of `napari_anyir.restore`, but for the image.

    Parameters
    ----------
    model, device, precision : str
        As for `napari_anyir.restore`.
    tile : str, int or None
        ``"auto"``, a side length in pixels, or None for the whole image.
    intensity : str or (float, float)
        ``"auto"``, ``"dtype"``, ``"range"`` or (low, high).

    Examples
    --------
    >>> RestoreChoices(tile=512).arguments()["tile"]
    512
    """

    model: str = "default"
    device: str = "auto"
    precision: str = "auto"
    tile: str | int | None = "auto"
    intensity: str | tuple[float, float] = "auto"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `napari_anyir.restore`."""
        return dict(vars(self))
