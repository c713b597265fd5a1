"""The network in strips of windows: the numbers of the whole image in bounded memory."""
