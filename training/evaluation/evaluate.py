"""Measure a model on the test sets of a protocol; a run that was killed goes on where it was.

``anyir evaluate`` is the command line of this; `napari_anyir.training.evaluation.mean_table`
prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from napari_anyir.inference.cluster import from_anywhere
from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.models import get_model
from napari_anyir.training.evaluation.classical import Restorer
from napari_anyir.training.evaluation.evaluated_runs import (
    FILE,
    TRAINING_FACTS,
    Count,
    Run,
    Switches,
    default_switches,
)
from napari_anyir.training.evaluation.examples import Example, NoiseStream, read_examples
from napari_anyir.training.evaluation.metrics import Image, psnr, ssim
from napari_anyir.training.evaluation.own_pairs import (
    Deep,
    own_sets,
    picture_of,
    read_own,
    score_own,
)
from napari_anyir.training.evaluation.restorers import (
    Methods,
    Work,
    restore_here,
    restore_on_cluster,
)
from napari_anyir.training.evaluation.score_files import FILE as SCORES
from napari_anyir.training.evaluation.score_files import INPUT, ImageScore
from napari_anyir.training.evaluation.visual_comparison import GAP
from napari_anyir.training.paper.protocols import OWN, find_protocol
from napari_anyir.training.sets.found_sets import FoundSet, find_sets
from napari_anyir.training.writing import replace_file
from napari_anyir.weights import find_model

STRIPS = 3
"""Images of each set of which degraded, restored and clean are kept side by side."""

Progress = Callable[[int, int, str], None]
"""Called with images done, images in all, and what comes next."""


@dataclass(frozen=True)
class EvaluationOptions:
    """What to measure, of all that a protocol tests.

    Parameters
    ----------
    only : str
        Part of the name of a set; sets without it are left out.
    limit : int or None
        At most so many images of each set, the first by name.
    images : bool
        Keep restored images, and strips of the first of each set.
    classical : bool
        Measure scikit-image's denoisers as well.
    overwrite : bool
        Forget what was measured before.
    device : str
        Where the network runs.
    switches : Switches, optional
        How to measure; by default as the protocol.
    name : str, optional
        What results call the model; by default as its card or file.
    cluster : str or None
        Address of a dask.distributed scheduler whose workers restore the images. Noise is drawn
        and results are measured here, so numbers do not depend on it.

    Raises
    ------
    ValueError
        If nothing would be measured.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.evaluate import EvaluationOptions
    >>> EvaluationOptions(limit=0)
    Traceback (most recent call last):
    ...
    ValueError: limit must be at least 1 image of each set, not 0.
    """

    only: str = ""
    limit: int | None = None
    images: bool = False
    classical: bool = False
    overwrite: bool = False
    device: str = "auto"
    switches: Switches | None = None
    name: str | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        """Refuse a limit of nothing."""
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be at least 1 image of each set, not {self.limit}.")


def evaluate(
    protocol_name: str,
    root: Path,
    model: str,
    out: Path,
    options: EvaluationOptions | None = None,
    progress: Progress | None = None,
) -> tuple[Run, dict[str, str]]:
    """Measure a model on a protocol.

    Parameters
    ----------
    protocol_name : str
        A key of `napari_anyir.training.paper.protocols.PROTOCOLS`.
    root : Path
        Folder that the test sets lie in.
    model : str
        Name of a model or path of a checkpoint.
    out : Path
        Folder of all results; this run's is ``out/PROTOCOL/MODEL``, with the switches that are
        not the default in its name.
    options : EvaluationOptions, optional
        What to measure and how; by default everything as the protocol, and nothing twice.
    progress : callable, optional
        Called before each image and at the end.

    Returns
    -------
    run : Run
        What was measured, now and before.
    missing : dict of str to str
        Sets that are not there, and why.

    Raises
    ------
    FileNotFoundError
        If no set is there, or an image has no partner.
    ModelError
        If the model is unknown or its checkpoint does not fit the network.
    ValueError
        If a switch is unknown, or the folder holds results of other weights.
    """
    protocol = find_protocol(protocol_name)
    options = options or EvaluationOptions()
    switches = options.switches or default_switches(protocol.name)
    device = resolve_device(options.device)
    loaded = get_model(model)
    if protocol is OWN and options.classical:
        raise ValueError("scikit-image's denoisers take photographs; leave --classical out.")
    missing: dict[str, str] = {}
    if protocol is OWN:
        found = own_sets(root)
    else:
        found, missing = find_sets(root, protocol, options.only)
    if not any(one.wanted for one in found):
        reasons = list(missing.values())
        raise FileNotFoundError(
            reasons[0]
            if len(reasons) == 1
            else f"None of {', '.join(missing)} is below '{root}'; 'anyir data check {root}' says "
            "how to lay them out."
        )
    name = options.name or loaded.name
    run = Run(
        folder=out / protocol.name / f"{name}{switches.suffix(protocol.name)}",
        protocol=protocol.name,
        model=name,
        sha256=loaded.sha256,
        config=loaded.network.config.to_dict(),
        switches=switches,
        counts={one.test.name: Count(len(one.pairs), one.expected) for one in found},
        device=str(device),
        training={k: v for k, v in find_model(model).training.items() if k in TRAINING_FACTS},
    )
    run = _joined(run, overwrite=options.overwrite)
    run.write()
    methods = Methods(model, str(device), switches.precision, switches.tile, options.classical)
    if options.cluster is None:
        measure_sets(run, found, methods.restorers(), options, progress)
    else:
        # The workers choose their own device: this machine may have another.
        there = replace(methods, model=from_anywhere(model), device=options.device)
        with restore_on_cluster(options.cluster, there, switches.rounding) as work:
            measure_sets(run, found, there.restorers(), options, progress, work)
    run.write()
    return run, missing


def _joined(run: Run, *, overwrite: bool) -> Run:
    """Go on with a run that is there; its weights must be the same."""
    if not (run.folder / FILE).is_file():
        return run
    if overwrite:
        (run.folder / SCORES).unlink(missing_ok=True)
        return run
    before = Run.read(run.folder)
    if before.sha256 != run.sha256:
        raise ValueError(
            f"'{run.folder}' holds results of other weights called '{run.model}'; give these "
            "another --name, or --overwrite the results."
        )
    counts = {**before.counts, **run.counts}
    return Run(**{**vars(run), "counts": counts})


def measure_sets(
    run: Run,
    found: Sequence[FoundSet],
    restorers: Mapping[str, Restorer],
    options: EvaluationOptions,
    progress: Progress | None = None,
    work: Work | None = None,
) -> None:
    """Measure restorers on sets and append the scores to the run's file, image by image.

    Parameters
    ----------
    run : Run
        Whose switches and folder are used.
    found : sequence of FoundSet
        All sets of the protocol that are there.
    restorers : mapping of str to callable
        Each maps (H, W, 3) float32 in [0, 1] to the same; the first one's images are kept.
    options : EvaluationOptions
        What to measure.
    progress : callable, optional
        Called before each image and at the end.
    work : callable, optional
        Does the work elsewhere, for example on a cluster; here by default.
    """
    switches = run.switches
    work = work or restore_here(restorers, switches.rounding)
    stream = NoiseStream(switches.noise_seed, switches.noise_storage)
    scores = run.scores()
    methods = (INPUT, *restorers)
    todo: dict[str, list[str]] = {}
    for one in found:
        wanted = [pair.name for pair in one.pairs[: options.limit]] if one.wanted else []
        done = scores.done(one.test.name, methods)
        todo[one.test.name] = [
            name
            for name in wanted
            if name not in done
            or (options.images and not picture_path(run, one.test.name, name).is_file())
        ]
    total, count = sum(map(len, todo.values())), 0
    last_noise = [i for i, one in enumerate(found) if one.test.sigma and todo[one.test.name]]
    for index, one in enumerate(found):
        set_name = one.test.name
        # After the last noisy image that is wanted, the stream may end.
        if not todo[set_name] and (not one.test.sigma or index > max(last_noise, default=-1)):
            continue
        first = {pair.name for pair in one.pairs[:STRIPS]}
        examples = (
            (Example(*pair) for pair in read_own(one.pairs, todo[set_name]))
            if one.test in OWN.tests
            else read_examples(
                one.pairs, one.test.sigma, stream, crop=switches.crop, wanted=todo[set_name]
            )
        )
        for example, results in work(examples):
            if progress:
                progress(count, total, f"{set_name}: {example.name}")
            rows = [_score(set_name, example, INPUT, example.degraded, 0.0, switches)]
            for method, image, seconds in results:
                rows.append(_score(set_name, example, method, image, seconds, switches))
                if options.images and method == next(iter(restorers)):
                    keep_images(run, set_name, example, image, strip=example.name in first)
            scores.add(rows)
            count += 1
    if progress:
        progress(total, total, "")


def _score(
    set_name: str,
    example: Example,
    method: str,
    image: Image | Deep,
    seconds: float,
    switches: Switches,
) -> ImageScore:
    if isinstance(image, Deep):
        scores = score_own(image, example.clean, switches.ssim)
        height, width = image.planes().shape[1:3]
    else:
        scores = psnr(image, example.clean), ssim(image, example.clean, switches.ssim)
        height, width = image.shape[:2]
    numbers = (round(scores[0], 6), round(scores[1], 6), height, width, round(seconds, 4))
    return ImageScore(set_name, example.name, method, *numbers)


def picture_path(run: Run, set_name: str, name: str, kind: str = "images") -> Path:
    """Where a restored image, or a strip, is kept.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.evaluation.evaluate import picture_path
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run
    >>> run = Run(Path("results"), "dev", "nano", "", {})
    >>> picture_path(run, "CBSD68 sigma 25", "3096").as_posix()
    'results/images/CBSD68_sigma_25/3096.png'
    """
    return run.folder / kind / set_name.replace(" ", "_") / f"{name.replace('/', '_')}.png"


def keep_images(
    run: Run, set_name: str, example: Example, restored: Image | Deep, *, strip: bool
) -> None:
    """Write a restored image, and degraded, restored and clean side by side if asked.

    Parameters
    ----------
    run : Run
        Into whose folder.
    set_name : str
        Test set.
    example : Example
        The image.
    restored : numpy.ndarray or Deep
        (H, W, 3), float32 in [0, 1]; of files of any depth the first plane is shown.
    strip : bool
        Whether to write the strip.
    """
    if isinstance(restored, Deep):
        clean = example.clean
        shown = [picture_of(one, clean) for one in (example.degraded, clean, restored)]
        example, restored = Example(example.name, *shown[:2]), shown[2]
    _save(picture_path(run, set_name, example.name), restored)
    if strip:
        gap = np.ones((restored.shape[0], GAP, 3), np.float32)
        beside = (example.degraded, gap, restored, gap, example.clean)
        _save(picture_path(run, set_name, example.name, "strips"), np.concatenate(beside, axis=1))


def _save(path: Path, image: Image) -> None:
    picture = Pillow.fromarray(np.rint(image * 255).astype(np.uint8))
    replace_file(path, lambda temporary: picture.save(temporary, "PNG"))
