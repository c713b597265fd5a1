"""Qt and magicgui: a thin skin over inference, one file per widget."""
