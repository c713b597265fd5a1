"""Choose a model, a device and parts of the network, on a picture of it."""
