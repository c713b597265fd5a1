"""How the network is run: on which device, whole or in pieces, in how much memory."""
