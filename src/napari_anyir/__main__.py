"""``python -m napari_anyir`` is ``anyir``."""

from __future__ import annotations

from napari_anyir.cli import main

if __name__ == "__main__":
    main()
