"""Bundled checkpoints, their cards, and the registry that finds, checks and loads them."""
