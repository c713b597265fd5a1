"""The data of a run: items of an epoch, and the crops of a step."""
