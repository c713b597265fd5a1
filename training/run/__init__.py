"""A training run: the step, its schedule, what it saves and tells."""

from napari_anyir.weights.torchvision_operators import declare_operators

# Lightning imports torchmetrics, and torchmetrics imports torchvision where spandrel brought it.
declare_operators()
