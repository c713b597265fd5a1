"""Sets of image files as users have them on disk: found, paired, counted."""
