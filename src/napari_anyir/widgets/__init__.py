"""Qt and magicgui: a thin skin over inference; one folder per widget, and what they share."""
