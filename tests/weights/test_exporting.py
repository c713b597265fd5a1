"""Models for other programs, run there and held to ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_anyir import ModelError, restore
from napari_anyir.model import AnyIRConfig, build_model
from napari_anyir.weights import add_model, graph_files, load_model
from napari_anyir.weights.exporting import export_model
from napari_anyir.weights.graph_files import compare, export_torchscript
from napari_anyir.weights.loading import save_network

SMALLEST = AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 2, 4))
SIZES = ((64, 64), (65, 71), (513, 96), (513, 513))
SOME = SIZES[:3]


def image(height: int, width: int, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[1, 2], ids=["full size", "half size"])
def smallest(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = replace(SMALLEST, stem=request.param)
    save_network(build_model(config), tmp_path / "smallest.safetensors")
    return tmp_path / "smallest.safetensors"


def test_onnx_runs_in_its_runtime_at_any_size(smallest: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    pytest.importorskip("onnx", reason="the extra 'export' is not installed")
    assert export_model(smallest, "onnx", tmp_path / "a.onnx") < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    told = session.get_modelmeta().custom_metadata_map
    network = load_model(smallest)
    assert json.loads(told["config"]) == network.config.to_dict()
    for height, width in SIZES:
        for batch in (1, 2) if height < 100 else (1,):
            x = image(height, width, batch)
            (found,) = session.run(["output"], {"input": x.numpy()})
            with torch.inference_mode():
                assert np.abs(found - network(x).numpy()).max() < 1e-4
    pixels = image(70, 90)[0].movedim(0, -1).numpy()
    (found,) = session.run(["output"], {"input": pixels.transpose(2, 0, 1)[None]})
    ours = restore(pixels, model=smallest, device="cpu", intensity=(0, 1))
    assert np.abs(found[0].transpose(1, 2, 0) - ours).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"gate_norm": "batch", "gate_activation": "sigmoid", "repeat": "interleave"},
        {"frequency": "fft", "split": "half"},
        {"stem": 2},
    ],
    ids=str,
)
def test_torchscript_follows_every_switch(fields: dict[str, Any], tmp_path: Path) -> None:
    network = build_model(replace(SMALLEST, **fields)).eval().requires_grad_(False)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
    export_torchscript(network, tmp_path / "a.pt", {})
    alone = torch.jit.load(tmp_path / "a.pt")
    for height, width in SOME:
        x = image(height, width)
        with torch.inference_mode():
            assert (alone(x) - network(x)).abs().max() < 1e-5


def test_packages_pass_the_zoos_own_test(smallest: Path, tmp_path: Path) -> None:
    core = pytest.importorskip("bioimageio.core", reason="the extra 'export' is not installed")
    pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    from bioimageio.spec import ValidationContext

    assert export_model(smallest, "bioimageio", tmp_path / "a.zip") < 1e-4
    with ValidationContext(perform_io_checks=False):
        assert core.test_model(tmp_path / "a.zip").status == "passed"
        model = core.load_model_description(tmp_path / "a.zip")
    assert model.name == "AnyIR smallest"
    assert {axis.id: axis.size.min for axis in model.inputs[0].axes if axis.type == "space"} == {
        "y": 64,
        "x": 64,
    }
    assert [path.name for path in tmp_path.glob("*a*.zip")] == ["a.zip"]


def test_what_differs_is_not_written(
    smallest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pt").write_text("what was there before")
    original = graph_files.Exported.forward
    monkeypatch.setattr(
        graph_files.Exported, "forward", lambda self, x: original(self, x) + 2e-4 * x.mean()
    )
    with pytest.raises(ModelError, match="differs from ours by"):
        export_model(smallest, "torchscript", tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_text() == "what was there before"
    assert not list(tmp_path.glob(".*"))


def test_sizes_that_tracing_fixed_are_found(smallest: Path) -> None:
    network = load_model(smallest)
    with pytest.raises(ModelError, match="does not run on 64 x 72 pixels"):
        compare(network, lambda x: network(x) + torch.zeros(1, 3, 64, 64), [(64, 72)])


@pytest.mark.parametrize(("name", "writes"), [("Restormer", True), ("DRUNet grey", False)])
def test_other_networks(
    foreign: Any, name: str, writes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "models"))
    foreign.save(name, tmp_path / "other.pth")
    add_model(tmp_path / "other.pth")
    if not writes:
        with pytest.raises(ModelError, match="for grey images"):
            export_model("other", "torchscript", tmp_path / "a.pt")
        return
    assert export_model("other", "torchscript", tmp_path / "a.pt") < 1e-4


def test_formats_are_named(smallest: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose one of onnx, torchscript, bioimageio"):
        export_model(smallest, "keras", tmp_path / "a.h5")


@pytest.mark.slow
def test_what_is_missing_is_named(smallest: Path, run_python: Any, tmp_path: Path) -> None:
    said = run_python(
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from pathlib import Path\n"
        "from napari_anyir import ModelError\n"
        "from napari_anyir.weights.exporting import export_model\n"
        f"try: export_model({str(smallest)!r}, 'onnx', Path({str(tmp_path / 'a.onnx')!r}))\n"
        "except ModelError as error: print(error)"
    )
    assert "napari-anyir[export]" in said
    assert not (tmp_path / "a.onnx").exists()
