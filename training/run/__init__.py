"""A training run: the step, its schedule, what it saves and tells."""
