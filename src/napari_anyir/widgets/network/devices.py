"""Which devices this computer has; asked in a thread, because the answer needs torch."""

from __future__ import annotations

from typing import Any

from napari_anyir.widgets.kit.problems import load_torch


class DevicesJob:
    """A job that names the devices.

    Examples
    --------
    >>> DevicesJob()(None, None)[-1]
    'cpu'
    """

    def __str__(self) -> str:
        return "Looking for devices"

    def __call__(self, progress: Any, cancel: Any) -> list[str]:
        """Name them, the best first."""
        load_torch()
        from napari_anyir.inference import available_devices

        return available_devices()
