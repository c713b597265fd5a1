"""The paper's analyses of feature maps, on any image: numbers first, then a figure of them.

Each function takes arrays or what `napari_anyir.feature_maps` returns, and gives a frozen object
that holds the numbers, with ``figure()`` (a matplotlib figure that belongs to nobody else: no
pyplot, no global state), ``to_csv(path)`` and ``save(path)`` (.png, .svg, .pdf or .csv). The
figures need the extra ``napari-anyir[analysis]``; the numbers, save for those of `t_sne`, do not.
"""

from napari_anyir.analysis.activations import ChannelActivations, channel_activations
from napari_anyir.analysis.clouds import Embedding
from napari_anyir.analysis.contact_sheet import ContactSheet, contact_sheet
from napari_anyir.analysis.embedding import pca_3d, split_pca_3d, t_sne
from napari_anyir.analysis.error_map import ErrorMap, error_map
from napari_anyir.analysis.singular_values import SingularValues, singular_values
from napari_anyir.analysis.spectrum import Spectra, spectra

__all__ = [
    "ChannelActivations",
    "ContactSheet",
    "Embedding",
    "ErrorMap",
    "SingularValues",
    "Spectra",
    "channel_activations",
    "contact_sheet",
    "error_map",
    "pca_3d",
    "singular_values",
    "spectra",
    "split_pca_3d",
    "t_sne",
]
