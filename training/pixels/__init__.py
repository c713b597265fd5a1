"""Pixels of training images: decoded, kept, cropped."""
