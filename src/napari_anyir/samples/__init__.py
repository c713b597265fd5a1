"""Sample images for napari's File menu."""
