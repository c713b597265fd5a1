"""What napari's layers say about pixels, and what is done with them; no Qt."""
