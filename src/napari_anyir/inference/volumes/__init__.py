"""All planes of an array through the network: at once, one by one, tile by tile, lazily."""
