"""Image files with their metadata in and out, one at a time or many; no Qt, no torch at import."""

from __future__ import annotations

from napari_anyir.files.formats import FORMATS, format_of, is_image_name
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.images import read_image, write_image

__all__ = ["FORMATS", "ImageFile", "format_of", "is_image_name", "read_image", "write_image"]
