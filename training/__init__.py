"""Datasets, protocols, training and evaluation; installed as napari_anyir.training."""
