"""Models as files for other programs, run and compared before they count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_anyir.atomic_writing import atomic_write
from napari_anyir.errors import ModelError
from napari_anyir.places import part_beside
from napari_anyir.weights.foreign import ForeignNetwork
from napari_anyir.weights.graph_files import compare, export_onnx, export_torchscript, facts_of
from napari_anyir.weights.registry import find_model, load_model

FORMATS = {"onnx": ".onnx", "torchscript": ".pt", "bioimageio": ".zip"}
"""Formats, and how their files end."""


def export_model(name: str | Path, form: str, path: Path) -> float:
    """Write a model for other programs, and run the file before it gets its name.

    Parameters
    ----------
    name : str or Path
        As for `napari_anyir.load_model`.
    form : str
        A key of `FORMATS`.
    path : Path
        The new file; one that is there is replaced.

    Returns
    -------
    float
        Largest difference from ours at the sizes that were compared.

    Raises
    ------
    ModelError
        If the model cannot be loaded, a program is missing, or the file does not give the numbers
        of our network; ``path`` is then as it was.
    ValueError
        If the format is unknown.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.weights.exporting import export_model
    >>> from napari_anyir.weights.graph_files import TOLERANCE
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> export_model("nano", "torchscript", folder / "nano.pt") < TOLERANCE
    True
    """
    if form not in FORMATS:
        raise ValueError(f"The format {form!r} is unknown; choose one of {', '.join(FORMATS)}.")
    network = load_model(name)
    card = replace(find_model(name), config=network.config.to_dict())
    if isinstance(network, ForeignNetwork) and network.config.channels != 3:
        raise ModelError(
            f"'{card.name}' is for grey images; only networks of colours are exported."
        )
    # Some formats are written by their extension, whatever that of the target is.
    temporary = part_beside(path.with_suffix(FORMATS[form]))
    with atomic_write(path, temporary=temporary):
        if form == "bioimageio":
            from napari_anyir.weights.bioimage_package import export_bioimageio  # needs the extra

            gap = export_bioimageio(network, temporary, card)
        else:
            write = export_onnx if form == "onnx" else export_torchscript
            gap = compare(network, write(network, temporary, facts_of(card)))
    return gap
