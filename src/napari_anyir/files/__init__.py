"""Image files with their metadata in and out, one at a time or many; no Qt, no torch at import."""

from __future__ import annotations

from napari_anyir.files.batch import restore_files
from napari_anyir.files.batch_settings import FileStatus, Settings
from napari_anyir.files.formats import FORMATS, format_of, is_image_name
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.images import read_image, write_image

__all__ = [
    "FORMATS",
    "FileStatus",
    "ImageFile",
    "Settings",
    "format_of",
    "is_image_name",
    "read_image",
    "restore_files",
    "write_image",
]
