"""Turn a training run into a model of the package: half-precision weights and a card.

``python -m napari_anyir.training.publish RUN NAME --sources SOURCES.tsv --measured RESULTS.json``,
where the results are ``RESULTS/dev/NAME/summary.json`` of ``anyir evaluate``.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any, TypedDict, Unpack

import torch

from napari_anyir.keywords import check_keywords
from napari_anyir.training.model_files import write_model
from napari_anyir.weights import ModelCard
from napari_anyir.weights.loading import load_network
from napari_anyir.weights.registry import BUNDLED

SUMMARIES = {
    "denoise": "Takes noise off and nothing else: brightness, colour and contrast stay.",
    "nano": "For photographs, small and quick: takes off noise, rain, haze and darkness, blind.",
    "tiny": "AnyIR-T, the network of the paper: lifts more haze and darkness, 15 times the cost.",
    "small": "AnyIR-S, the larger network of the paper: noise, rain, haze, blur, darkness, blind.",
}


def read_sources(path: Path) -> list[str]:
    r"""Summarise a table of photographs as one line per collection and licence.

    Parameters
    ----------
    path : Path
        Tab-separated, with columns ``source`` and ``licence``.

    Returns
    -------
    list of str
        ``"94 photographs: CQ100 (CC0 ...)"``, most first.

    Examples
    --------
    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "sources.tsv"
    >>> written = table.write_text("file\tsource\tlicence\na.png\tmine\tCC0\nb.png\tmine\tCC0\n")
    >>> read_sources(table)
    ['2 photographs: mine (CC0)']
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        counts = Counter((row["source"], row["licence"]) for row in rows)
    return [
        f"{n} photographs: {source} ({licence})" for (source, licence), n in counts.most_common()
    ]


class CardFacts(TypedDict, total=False):
    """What a card is told that nothing else knows; see `ModelCard`.

    Examples
    --------
    >>> facts: CardFacts = {"summary": "Takes dust off."}
    >>> facts["summary"]
    'Takes dust off.'
    """

    training: dict[str, Any]
    measured: dict[str, Any]
    limits: str
    summary: str


def publish(
    run: Path,
    name: str,
    *,
    folder: Path = BUNDLED,
    **told: Unpack[CardFacts],
) -> ModelCard:
    """Write ``NAME.safetensors`` and ``NAME.json``; a model of that name is replaced.

    Parameters
    ----------
    run : Path
        Folder with ``weights.safetensors``, the averaged weights of a run.
    name : str
        Name of the model.
    folder : Path
        Where to put it; by default into the package.
    **told
        What the card says: training, measured, limits and summary; see `ModelCard`. What the run's
        own card says of the training is kept below it; of the models of the package the summary is
        known.

    Returns
    -------
    ModelCard
        The card as written.

    Raises
    ------
    FileNotFoundError
        If the run has no weights.
    ModelError
        If they do not load.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.model import AnyIRConfig, build_model
    >>> from napari_anyir.weights.loading import save_network
    >>> config = AnyIRConfig(dim=4, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))
    >>> run = Path(tempfile.mkdtemp())
    >>> save_network(build_model(config), run / "weights.safetensors")
    >>> publish(run, "mine", folder=run, summary="Takes dust off.").summary
    'Takes dust off.'
    """
    check_keywords("publish", told, CardFacts)
    source = run / "weights.safetensors"
    if not source.is_file():
        raise FileNotFoundError(f"There are no weights in '{run}'; train first.")
    network = load_network(ModelCard(name=name, file=source))
    beside = run / "weights.json"
    known = dict(ModelCard.read(beside).training) if beside.is_file() else {}
    return write_model(
        network,
        folder / f"{name}.safetensors",
        dtype=torch.float16,  # halves the wheel
        summary=told.get("summary") or SUMMARIES.get(name, f"A network trained in '{run.name}'."),
        licence="BSD-3-Clause",
        training=known | told.get("training", {}),
        measured=told.get("measured", {}),
        limits=told.get("limits", ""),
    )


def main(arguments: list[str] | None = None) -> None:
    """Run from a shell; see the head of the module.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.model import AnyIRConfig, build_model
    >>> from napari_anyir.weights.loading import save_network
    >>> config = AnyIRConfig(dim=4, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))
    >>> run = Path(tempfile.mkdtemp())
    >>> save_network(build_model(config), run / "weights.safetensors")
    >>> main([str(run), "mine", "--folder", str(run)])
    /...mine.safetensors  ... MB  SHA-256 ...
    """
    parser = argparse.ArgumentParser(prog="napari_anyir.training.publish", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("name", help="name of the model")
    parser.add_argument("--folder", type=Path, default=BUNDLED)
    parser.add_argument("--sources", type=Path, help="table of the photographs")
    parser.add_argument(
        "--training", type=Path, help="JSON: what else the card says of the training"
    )
    parser.add_argument("--measured", type=Path, help="summary.json of anyir evaluate")
    parser.add_argument("--limits", default="", help="where the model fails, in plain words")
    parser.add_argument("--summary", default="", help="what the model does, in one sentence")
    given = parser.parse_args(arguments)
    training = json.loads(given.training.read_text()) if given.training else {}
    if given.sources:
        training["sources"] = read_sources(given.sources)
    measured = json.loads(given.measured.read_text()) if given.measured else {}
    card = publish(
        given.run,
        given.name,
        folder=given.folder,
        training=training,
        measured=measured,
        limits=given.limits,
        summary=given.summary,
    )
    print(f"{card.file}  {card.file.stat().st_size / 1e6:.2f} MB  SHA-256 {card.sha256}")


if __name__ == "__main__":
    main()
