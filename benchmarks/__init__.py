"""Speed and memory of the network and of its peers, as commands that print a table."""
