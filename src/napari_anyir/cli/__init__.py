"""The same work from a shell: ``anyir``."""

from __future__ import annotations

from napari_anyir.cli.app import app, main

__all__ = ["app", "main"]
