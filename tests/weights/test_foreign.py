"""Other people's networks through spandrel: the same numbers, by every way that ours are run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch

from napari_anyir import ModelError, feature_maps, list_models, load_model, restore
from napari_anyir.inference import restore_with_record
from napari_anyir.inference.engine.memory_estimate import pass_bytes
from napari_anyir.inference.engine.run_plan import plan_run
from napari_anyir.inference.inside.interventions import switch_off
from napari_anyir.weights import add_model, find_model
from napari_anyir.weights.foreign import ForeignConfig, ForeignNetwork

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "models"))


def image(height: int = 64, width: int = 64, channels: int = 3) -> Any:
    return np.random.default_rng(0).random((height, width, channels), np.float32)


def from_pixels(pixels: Any) -> torch.Tensor:
    return torch.from_numpy(pixels).movedim(-1, 0)[None]


NAMES = ("Restormer", "SCUNet", "NAFNet", "DRUNet", "DRUNet grey", "SwinIR")


@pytest.mark.parametrize("name", NAMES)
def test_added_networks_restore_as_their_own_code_does(
    foreign: Any, name: str, tmp_path: Path
) -> None:
    network = foreign.save(name, tmp_path / "other.pth")
    card = add_model(tmp_path / "other.pth")
    assert card.architecture == name.split()[0]
    assert card.parameters == sum(p.numel() for p in network.parameters())
    assert card.name in [known.name for known in list_models()]
    pixels = image()
    grey = name.endswith("grey")
    expected = (
        torch.cat([foreign.direct(network, name, c) for c in from_pixels(pixels).split(1, 1)], 1)
        if grey
        else foreign.direct(network, name, from_pixels(pixels))
    )
    found = restore(pixels, model="other", device="cpu", intensity=(0, 1))
    assert (from_pixels(found) - expected).abs().max() < 1e-5
    # Results are not clipped to the range: those of random weights leave it.
    if expected.min() < 0:
        assert found.min() < 0


@pytest.mark.parametrize("shape", [(1, 1), (7, 90), (33, 47)])
@pytest.mark.parametrize("name", ["Restormer", "SCUNet", "SwinIR"])
def test_any_size_is_padded_and_cut(
    foreign: Any, name: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    foreign.save(name, tmp_path / "other.pth")
    found = restore(image(*shape), model=tmp_path / "other.pth", device="cpu")
    assert found.shape == (*shape, 3)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("prefix", "container"), [("module.", "state_dict"), ("net.", "state_dict"), ("", "params_ema")]
)
def test_containers_and_prefixes_of_trainers(
    foreign: Any, prefix: str, container: str, tmp_path: Path
) -> None:
    network = foreign.save("Restormer", tmp_path / "a.ckpt", prefix, container)
    found = load_model(tmp_path / "a.ckpt")
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert (found(x) - network(x)).abs().max() < 1e-6


def test_every_way_of_an_array_gives_the_same_bits(foreign: Any, tmp_path: Path) -> None:
    foreign.save("SCUNet", tmp_path / "scunet.pth")
    add_model(tmp_path / "scunet.pth")
    stack = (image(48, 56, 4).transpose(2, 0, 1) * 4000).astype(np.uint16)
    found, record = restore_with_record(stack, axes="ZYX", model="scunet", device="cpu")
    assert record.mode == "whole"
    assert record.model == "scunet"
    for index in range(4):
        alone = restore(
            stack[index], axes="YX", model="scunet", device="cpu", intensity=record.intensity
        )
        assert np.array_equal(alone, found[index])
    lazy = restore(
        da.from_array(stack, chunks=(1, 20, 56)), axes="ZYX", model="scunet", device="cpu"
    )
    assert np.array_equal(lazy.compute(scheduler="threads"), found)


def test_tiles_where_they_are_asked_for(foreign: Any, tmp_path: Path) -> None:
    foreign.save("NAFNet", tmp_path / "nafnet.pth")
    add_model(tmp_path / "nafnet.pth")
    pixels = image(96, 80)
    found, record = restore_with_record(pixels, model="nafnet", device="cpu", tile=64)
    assert (record.mode, record.tile) == ("tiles", 64)
    lazy = restore(da.from_array(pixels), model="nafnet", device="cpu", tile=64)
    assert np.allclose(lazy.compute(scheduler="sync"), found, atol=1e-6)


def test_memory_is_measured_and_planned_with(
    foreign: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.save("Restormer", tmp_path / "restormer.pth")
    config = load_model(find_model(add_model(tmp_path / "restormer.pth").name).name).config
    assert isinstance(config, ForeignConfig)
    # dim 16: at full resolution twice 32 channels, expanded by 2 x 2.66, and what lies beside.
    assert 32 * 2 * 2.66 * 2 < config.numbers_per_pixel < 32 * 40
    needed = pass_bytes(config, 512, 512)
    assert needed == int(512 * 512 * 4 * config.numbers_per_pixel)
    from napari_anyir.inference.engine import run_plan

    for free, mode in ((needed / run_plan.SHARE + 1e4, "whole"), (needed, "tiles")):
        monkeypatch.setattr(run_plan, "free_bytes", lambda device, free=free: int(free))
        assert plan_run(config, (1, 3, 512, 512), CPU, "float32", "auto").mode == mode


def test_networks_where_pixels_look_at_all_others_count_pairs() -> None:
    from napari_anyir.weights.foreign import _measured

    class Attention(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            flat = x[:, 0].flatten(1)
            weights = (flat[:, :, None] * flat[:, None, :]).softmax(-1)
            return x + (weights @ flat[..., None]).reshape(x[:, :1].shape)

    network = ForeignNetwork(Attention(), lambda net, x: net(x), ForeignConfig("All", minimum=1))
    config = _measured(network)
    assert config.numbers_per_pair == pytest.approx(2, rel=0.05)


def test_what_looks_inside_knows_anyir_only(foreign: Any, tmp_path: Path) -> None:
    foreign.save("NAFNet", tmp_path / "nafnet.pth")
    add_model(tmp_path / "nafnet.pth")
    says = r"'nafnet' is a NAFNet network, and this knows AnyIR only"
    with pytest.raises(ModelError, match=says):
        feature_maps(image(16, 16), model="nafnet")
    with pytest.raises(ModelError, match=says):
        restore(image(16, 16), model="nafnet", interventions=[switch_off("gated")])


def test_precisions_that_a_network_has_not_are_refused(foreign: Any, tmp_path: Path) -> None:
    foreign.save("Restormer", tmp_path / "a.pth")  # spandrel does not vouch for its float16
    with pytest.raises(ValueError, match="does not work in float16"):
        restore(image(16, 16), model=tmp_path / "a.pth", precision="float16", device="cpu")
    coarse = restore(image(16, 16), model=tmp_path / "a.pth", precision="bfloat16", device="cpu")
    fine = restore(image(16, 16), model=tmp_path / "a.pth", device="cpu")
    assert 0 < np.abs(coarse - fine).max() < 0.1


def test_what_enlarges_is_refused(foreign: Any, tmp_path: Path) -> None:
    foreign.make("SwinIR")
    from spandrel.architectures.SwinIR import SwinIR

    network = SwinIR(
        img_size=64,
        window_size=8,
        embed_dim=24,
        depths=[2],
        num_heads=[2],
        upscale=2,
        upsampler="pixelshuffle",
    )
    torch.save(network.state_dict(), tmp_path / "x2.pth")
    with pytest.raises(ModelError, match="SwinIR network that enlarges 2 times"):
        add_model(tmp_path / "x2.pth")
    assert not list_models()[-1].file.parent.joinpath("x2.safetensors").exists()
    assert not list((tmp_path / "models").glob(".anyir-*"))


def test_unknown_tensors_say_what_to_install(foreign: Any, tmp_path: Path) -> None:
    foreign.make("SCUNet")
    torch.save({"a.weight": torch.zeros(2, 2)}, tmp_path / "unknown.pth")
    with pytest.raises(ModelError, match=r"no network that AnyIR or spandrel knows"):
        load_model(tmp_path / "unknown.pth")


@pytest.mark.slow
def test_without_spandrel_its_extra_is_named(tmp_path: Path, run_python: Any) -> None:
    torch.save({"a.weight": torch.zeros(2, 2)}, tmp_path / "unknown.pth")
    code = (
        "import sys; sys.modules['spandrel'] = None\n"
        "from napari_anyir import ModelError, load_model\n"
        f"try: load_model({str(tmp_path / 'unknown.pth')!r})\n"
        "except ModelError as error: print(error)"
    )
    said = run_python(code)
    assert "napari-anyir[spandrel]" in said
    assert "no 'embed.weight'" in said


def test_code_in_their_files_is_never_run(foreign: Any, tmp_path: Path) -> None:
    network = foreign.make("SCUNet")
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> Any:
            return (marker.touch, ())

    torch.save({"params": network.state_dict(), "trap": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(ModelError, match="more than weights"):
        add_model(tmp_path / "trap.pth")
    assert not marker.exists()


def test_nan_weights_are_refused(foreign: Any, tmp_path: Path) -> None:
    state = foreign.make("NAFNet").state_dict()
    state["intro.weight"][0, 0, 0, 0] = torch.nan
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(ModelError, match=r"NaN or infinite weights in 'intro\.weight'"):
        add_model(tmp_path / "nan.pth")
