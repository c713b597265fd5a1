"""The training loss of the paper (Sec. A.2)."""

from __future__ import annotations

import torch
from torch import Tensor


def restoration_loss(restored: Tensor, clean: Tensor, fourier_weight: float = 0.1) -> Tensor:
    """L1 between images plus a weighted L1 between their spectra.

    Parameters
    ----------
    restored, clean : Tensor
        (B, 3, H, W) in [0, 1].
    fourier_weight : float
        Weight of the mean absolute difference of the stacked real and imaginary parts of rfft2.

    Returns
    -------
    Tensor
        Scalar, float32.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.losses import restoration_loss
    >>> float(restoration_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)))
    0.0
    """
    # FFTs need float32 under autocast. The transform is linear: one FFT of the difference will do.
    difference = restored.float() - clean.float()
    loss = difference.abs().mean()
    if fourier_weight:
        spectrum = torch.view_as_real(torch.fft.rfft2(difference))
        loss = loss + fourier_weight * spectrum.abs().mean()
    return loss
