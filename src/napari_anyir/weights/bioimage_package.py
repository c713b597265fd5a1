"""Models as packages of the BioImage Model Zoo, which Fiji, QuPath and ilastik can open."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from napari_anyir.errors import ModelError
from napari_anyir.weights.card import ANYIR, ModelCard
from napari_anyir.weights.graph_files import (
    INPUT,
    INSTALL,
    OPSET,
    OUTPUT,
    SMALLEST,
    compare,
    export_onnx,
    export_torchscript,
    facts_of,
)
from napari_anyir.weights.networks import Network

SIZES = ((64, 65), (513, 72))
"""Heights and widths at which a package is compared, besides its own test."""

PAPER = (
    "Ren et al., Any Image Restoration via Efficient Spatial-Frequency Degradation Adaptation, "
    "TMLR 2025"
)


WHAT_GOES_IN = (
    "Images of 3 colours as 32-bit floats, 0 for black and 1 for white, sides of at least "
    f"{SMALLEST} pixels. Divide 8-bit images by 255. Map others linearly, so that 0 and 1 are "
    "their 0.1 and 99.9 percentiles, and map the result back. Grey images go in as three equal "
    "colours; take the mean of the three answers. The network sees all pixels at once, so give it "
    "whole images where memory allows."
)


def export_bioimageio(network: Network, path: Path, card: ModelCard) -> float:
    """Write a package with TorchScript and ONNX weights, and run both through bioimageio.core.

    Parameters
    ----------
    network : AnyIR or ForeignNetwork
        In evaluation mode, on the CPU.
    path : Path
        The new file, ending in .zip.
    card : ModelCard
        Becomes the description.

    Returns
    -------
    float
        The largest difference from ours.

    Raises
    ------
    ModelError
        If bioimageio.core is not installed, or the package does not pass its test or differs.
    """
    try:
        import bioimageio.core
        from bioimageio.spec import save_bioimageio_package
    except ImportError as error:
        raise ModelError(f"This needs bioimageio.core ({error}); get it with: {INSTALL}") from error
    with tempfile.TemporaryDirectory(prefix="anyir-export-") as place:
        folder = Path(place)
        export_torchscript(network, folder / "weights.pt", facts_of(card))
        export_onnx(network, folder / "weights.onnx", facts_of(card))
        image = torch.rand(1, 3, 72, 88, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            restored = network(image)
        np.save(folder / f"{INPUT}.npy", image.numpy())
        np.save(folder / f"{OUTPUT}.npy", restored.numpy())
        (folder / "README.md").write_text(documentation(card), encoding="utf-8")
        from bioimageio.spec import ValidationContext

        with ValidationContext(perform_io_checks=False):  # nothing here needs the internet
            described = describe(card, folder)
            save_bioimageio_package(described, output_path=path)
            summary = bioimageio.core.test_model(path)
            if summary.status != "passed":
                reasons = [d.name for d in summary.details if d.status != "passed"]
                raise ModelError(
                    f"The package does not pass its test by bioimageio.core "
                    f"({'; '.join(reasons)[:200] or summary.status}), so nothing was written."
                )
            return max(
                compare(network, _runner(path, weights), SIZES)
                for weights in ("torchscript", "onnx")
            )


def _runner(path: Path, weights: Any) -> Any:
    """Return what runs the weights of a package as bioimageio.core runs them."""
    import bioimageio.core
    from bioimageio.core.digest_spec import create_sample_for_model
    from bioimageio.spec.model.v0_5 import TensorId

    model = bioimageio.core.load_model_description(path)
    pipeline = bioimageio.core.create_prediction_pipeline(model, weight_format=weights)

    def run(images: Tensor) -> Tensor:
        sample = create_sample_for_model(model, inputs={TensorId(INPUT): images.numpy()})
        result = pipeline.predict_sample_without_blocking(sample)
        return torch.from_numpy(np.array(result.members[TensorId(OUTPUT)].data, np.float32))

    return run


def describe(card: ModelCard, folder: Path) -> Any:
    """Make the description of a package.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    folder : Path
        Where ``weights.pt``, ``weights.onnx``, ``input.npy``, ``output.npy`` and ``README.md`` lie.

    Returns
    -------
    bioimageio.spec.model.v0_5.ModelDescr
        The description.
    """
    from bioimageio.spec.common import FileDescr
    from bioimageio.spec.model import v0_5 as spec

    def axes(output: bool) -> list[Any]:
        found: list[Any] = [spec.BatchAxis()]
        names: list[Any] = [spec.Identifier(name) for name in ("red", "green", "blue")]
        found.append(spec.ChannelAxis(channel_names=names))
        for axis in ("y", "x"):
            place = spec.AxisId(axis)
            if output:
                same = spec.SizeReference(tensor_id=spec.TensorId(INPUT), axis_id=place)
                found.append(spec.SpaceOutputAxis(id=place, size=same))
            else:
                size = spec.ParameterizedSize(min=SMALLEST, step=1)
                found.append(spec.SpaceInputAxis(id=place, size=size))
        return found

    data = spec.IntervalOrRatioDataDescr(type="float32")
    return spec.ModelDescr(
        name=f"{card.architecture} {card.name}",
        description=(card.summary or f"A {card.architecture} network for restoration.")[:1024],
        authors=[spec.Author(name="napari-anyir developers")] if card.architecture == ANYIR else [],
        license=cast(Any, card.licence or None),
        tags=["image-restoration", "denoising", "2d", card.architecture.lower()],
        documentation=FileDescr(source=folder / "README.md"),
        inputs=[
            spec.InputTensorDescr(
                id=spec.TensorId(INPUT),
                description="Red, green and blue, 0 black to 1 white; grey as three equal colours",
                axes=axes(output=False),
                data=data,
                test_tensor=FileDescr(source=folder / f"{INPUT}.npy"),
            )
        ],
        outputs=[
            spec.OutputTensorDescr(
                id=spec.TensorId(OUTPUT),
                description="The restored image on the same scale, not clipped",
                axes=axes(output=True),
                data=data,
                test_tensor=FileDescr(source=folder / f"{OUTPUT}.npy"),
            )
        ],
        weights=spec.WeightsDescr(
            torchscript=spec.TorchscriptWeightsDescr(
                source=folder / "weights.pt",
                pytorch_version=spec.Version(torch.__version__.split("+")[0]),
            ),
            onnx=spec.OnnxWeightsDescr(
                source=folder / "weights.onnx", opset_version=OPSET, parent="torchscript"
            ),
        ),
    )


def documentation(card: ModelCard) -> str:
    """Write a card as Markdown.

    Parameters
    ----------
    card : ModelCard
        Any.

    Returns
    -------
    str
        Headings, what goes in, what was measured, and limits.

    Examples
    --------
    >>> from napari_anyir.weights import find_model
    >>> documentation(find_model("nano")).splitlines()[0]
    '# AnyIR nano'
    """
    lines = [f"# {card.architecture} {card.name}", "", card.summary, "", "## What goes in", ""]
    lines += [WHAT_GOES_IN, ""]
    if card.limits:
        lines += ["## Limits", "", card.limits, ""]
    if card.measured:
        lines += ["## Measured", ""]
        for name, numbers in card.measured.items():
            told = ", ".join(f"{key} {value}" for key, value in numbers.items())
            lines.append(f"- {name}: {told}")
        lines.append("")
    if card.training:
        lines += ["## Training", ""]
        lines += [f"- {key}: {value}" for key, value in card.training.items()] + [""]
    if card.architecture == ANYIR:
        lines += ["## Source", "", PAPER, ""]
    licence = card.licence or "not stated; ask the authors of the weights"
    return "\n".join([*lines, "## Licence of the weights", "", licence, ""])
