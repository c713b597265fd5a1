import pickle

import pytest
import torch
from safetensors.torch import save_file

from napari_anyir import ModelError
from napari_anyir.model import AnyIR, AnyIRConfig, build_model
from napari_anyir.weights import ModelCard, load_model
from napari_anyir.weights.loading import PUBLISHED, infer_config, load_network, save_network

SMALLEST = {"dim": 8, "blocks": (1, 1, 1, 1), "refinement": 1, "heads": (1, 1, 2, 4)}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"blocks": (2, 1, 3, 1), "refinement": 0},
        {"feed_forward_factor": 3},
        {"gate": "none"},
        {"gate_norm": "batch"},
        *({"gate_fractions": f} for f in ((0.25, 0.25, 0.5), (0, 0.5, 0.5), (0.5, 0.5, 0))),
    ],
    ids=str,
)
def test_configuration_is_read_off_the_tensors(fields):
    config = AnyIRConfig(**{**SMALLEST, **fields})
    assert infer_config(AnyIR(config).state_dict(), PUBLISHED) == config


@pytest.mark.parametrize(
    "fields", [{"fusion": "fixed"}, {"fusion": "none", "split": "half"}], ids=str
)
def test_what_tensors_cannot_tell_is_in_the_metadata(tmp_path, fields):
    network = AnyIR(AnyIRConfig(**{**SMALLEST, **fields}))
    with pytest.raises(ModelError, match="fused"):
        infer_config(network.state_dict())
    path = tmp_path / "ablation.safetensors"
    save_network(network, path)
    assert load_model(path).config == network.config


def test_half_precision_file_gives_float32(tmp_path, nano):
    path = tmp_path / "half.safetensors"
    save_network(nano, path, torch.float16)
    loaded = load_network(ModelCard(name="half", file=path))
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert (loaded(image) - nano(image)).square().mean().sqrt() < 1e-3


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"params": s}, lambda s: {"model": s}])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_foreign_torch_files(tmp_path, nano, wrap, prefix):
    path = tmp_path / "foreign.pth"
    torch.save(wrap({prefix + k: v for k, v in nano.state_dict().items()}), path)
    assert load_network(ModelCard("foreign", path, config=PUBLISHED)).config == nano.config


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return (marker.touch, ())

    path = tmp_path / "trap.pt"
    path.write_bytes(pickle.dumps({"state_dict": Trap()}))
    with pytest.raises(ModelError, match="more than weights"):
        load_model(path)
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("keep", [0, 40, 5000])
def test_truncated(tmp_path, nano, suffix, keep):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".pt":
        torch.save(nano.state_dict(), path)
    else:
        save_network(nano, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"not a whole checkpoint"):
        load_model(path)


def test_what_does_not_fit_is_named(tmp_path):
    network = build_model("nano")
    config = network.config.to_dict()

    def load(tensors):
        path = tmp_path / "wrong.safetensors"
        save_file({k: v.contiguous() for k, v in tensors.items()}, path)
        return load_network(ModelCard(name="wrong", file=path, config=config))

    state = network.state_dict()
    with pytest.raises(ModelError, match=r"lacks 'up1\.weight'"):
        load({k: v for k, v in state.items() if k != "up1.weight"})
    with pytest.raises(ModelError, match="unknown 'extra'"):
        load({**state, "extra": torch.zeros(1)})
    with pytest.raises(ModelError, match=r"wrong size of 'embed\.weight'"):
        load({**state, "embed.weight": torch.zeros(24, 1, 3, 3)})
    with pytest.raises(ModelError, match=r"NaN or infinite weights in 'embed\.weight'"):
        load({**state, "embed.weight": torch.full_like(state["embed.weight"], torch.nan)})


def test_another_network_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"conv.weight": torch.zeros(3, 3, 3, 3)}, path)
    with pytest.raises(ModelError, match=r"no 'embed\.weight'"):
        load_model(path)
