"""Both source trees as one package, laid out as it is installed.

Tools that find modules by folders cannot know that training/ is installed as napari_anyir.training.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def joined_tree() -> Iterator[Path]:
    """Give a temporary folder that holds napari_anyir, its parts linked to where they stand."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "napari_anyir"
        package.mkdir()
        for source in (TOP / "src" / "napari_anyir").iterdir():
            (package / source.name).symlink_to(source)
        (package / "training").symlink_to(TOP / "training")
        yield Path(folder)
