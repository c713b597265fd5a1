"""The data of a run, opened as its configuration says."""

from __future__ import annotations

from napari_anyir.training.config import FolderData, PairData, TrainingConfig
from napari_anyir.training.data.crop_source import Source
from napari_anyir.training.data.folder_source import FolderSource
from napari_anyir.training.data.set_source import pair_source, protocol_source

__all__ = ["open_source"]


def open_source(config: TrainingConfig, processes: int = 1) -> Source:
    """Open the data of a run.

    Parameters
    ----------
    config : TrainingConfig
        The run, with the root of its data.
    processes : int
        Training processes on this machine, one for each device: decoded images are kept in memory
        only where those of all of them have room.

    Returns
    -------
    Source
        What its ``data.source`` names.

    Raises
    ------
    FileNotFoundError
        If data are missing.
    ValueError
        If no folder was named or the data do not suit.

    Examples
    --------
    >>> from napari_anyir.training.config import TrainingConfig
    >>> from napari_anyir.training.config_files import read_config
    >>> open_source(read_config("folder"))
    Traceback (most recent call last):
    ...
    ValueError: ...
    """
    held = config.validation.folder
    if isinstance(config.data, FolderData):
        return FolderSource(config.data, config.seed, held)
    if isinstance(config.data, PairData):
        return pair_source(config.data, config.seed, processes, held)
    return protocol_source(config.data, config.seed, processes, held)
