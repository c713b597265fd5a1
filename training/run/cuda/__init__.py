"""The network's blocks as a CUDA card trains them fastest."""
