"""What the paper asks for, as data: its protocols and its printed numbers."""
