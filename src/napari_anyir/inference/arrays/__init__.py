"""What an array is: its axes, its intensities, its planes; nothing of the network."""
