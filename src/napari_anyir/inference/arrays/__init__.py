"""What an array is: its axes, its intensities, its planes; no torch."""
