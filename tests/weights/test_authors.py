"""The authors' checkpoints, against their layout evaluated directly from its description.

The reference below shares no line with our blocks: it reads tensors by the authors' names, takes
their batch norm, their sigmoid, the literal Fourier transforms and the interleaved repeat.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anyir import ModelError, feature_maps, load_model, restore
from napari_anyir.inference.inside.collecting import MapRequest, collect
from napari_anyir.model import VARIANTS, AnyIR, AnyIRConfig, build_model
from napari_anyir.weights import add_model
from napari_anyir.weights.loading import infer_config

SIZES = {
    "tiny": ((3, 5, 5, 7), 4, 28, 5_736_376),
    "small": ((4, 6, 6, 8), 4, 32, 8_513_436),
    "micro": ((1, 2, 1, 1), 1, 16, None),
}
HEADS = (1, 2, 4, 8)


def their_names(size: str) -> dict[str, tuple[int, ...]]:
    """List the authors' tensors and their shapes."""
    counts, refinement, dim, _ = SIZES[size]
    shapes: dict[str, tuple[int, ...]] = {"patch_embed.proj.weight": (dim, 3, 3, 3)}

    def block(at: str, channels: int, heads: int) -> None:
        c = channels // 2
        hidden = round(8 * c / 3)
        alpha = hidden - 2 * c
        for norm in ("norm1", "norm2"):
            shapes[f"{at}.{norm}.body.weight"] = (channels,)
            shapes[f"{at}.{norm}.body.bias"] = (channels,)
        attn = f"{at}.attn"
        shapes[f"{attn}.temperature"] = (heads, 1, 1)
        shapes[f"{attn}.lam"] = (1,)
        shapes[f"{attn}.qkv.weight"] = (3 * c, c, 1, 1)
        shapes[f"{attn}.qkv_dwconv.weight"] = (3 * c, 1, 3, 3)
        shapes[f"{attn}.project_out.weight"] = (channels, channels, 1, 1)
        gate = f"{attn}.gatedcnn"
        shapes[f"{gate}.tau"] = (1, c, 1, 1)
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{gate}.norm.{name}"] = (c,)
        shapes[f"{gate}.norm.num_batches_tracked"] = ()
        shapes[f"{gate}.W_exp.weight"] = (hidden, c, 1, 1)
        shapes[f"{gate}.W_depth.weight"] = (alpha, 1, 7, 7)
        shapes[f"{gate}.W_gate.weight"] = (c, hidden - c, 1, 1)
        shapes[f"{gate}.W_proj.weight"] = (c, c, 1, 1)
        shapes[f"{at}.ffn.project_in.weight"] = (4 * channels, channels, 1, 1)
        shapes[f"{at}.ffn.dwconv.weight"] = (4 * channels, 1, 3, 3)
        shapes[f"{at}.ffn.project_out.weight"] = (channels, 2 * channels, 1, 1)

    wide = (2 * dim, 2 * dim, 4 * dim)
    for level in range(3):
        for index in range(counts[level]):
            block(f"encoder_level{level + 1}.{index}", dim * 2**level, HEADS[level])
            block(f"decoder_level{level + 1}.{index}", wide[level], HEADS[level])
        n = dim * 2**level
        shapes[f"down{level + 1}_{level + 2}.body.0.weight"] = (n // 2, n, 3, 3)
    for index in range(counts[3]):
        block(f"latent.{index}", 8 * dim, HEADS[3])
    for index in range(refinement):
        block(f"refinement.{index}", 2 * dim, HEADS[0])
    shapes["reduce_dim_level3.weight"] = (4 * dim, 8 * dim, 1, 1)
    shapes["up4_3.body.0.weight"] = (8 * dim, 4 * dim, 3, 3)
    shapes["reduce_chan_level3.weight"] = (4 * dim, 6 * dim, 1, 1)
    shapes["up3_2.body.0.weight"] = (8 * dim, 4 * dim, 3, 3)
    shapes["reduce_chan_level2.weight"] = (2 * dim, 4 * dim, 1, 1)
    shapes["up2_1.body.0.weight"] = (4 * dim, 2 * dim, 3, 3)
    shapes["output.weight"] = (3, 2 * dim, 3, 3)
    return shapes


def their_tensors(size: str, seed: int = 0) -> dict[str, Tensor]:
    """Make random weights under the authors' names, none of them as a network begins."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in their_names(size).items():
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(1234)
            continue
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 4 and not name.endswith("tau"):
            fan = shape[1] * shape[2] * shape[3]
            tensors[name] = noise * fan**-0.5
        elif name.endswith("running_var"):
            tensors[name] = 0.3 + noise.square()
        elif name.endswith(("bias", "running_mean")):
            tensors[name] = 0.3 * noise
        else:  # scales of norms, temperature, tau, lambda
            tensors[name] = 0.7 + 0.3 * noise
    tensors["output.weight"] *= 0.1
    return tensors


def their_block(t: dict[str, Tensor], at: str, x: Tensor, heads: int) -> Tensor:
    """Evaluate one block (B, C, H, W) as the layout says."""
    batch, channels, height, width = x.shape
    c = channels // 2

    def over_channels(y: Tensor, name: str) -> Tensor:
        mean = y.mean(1, keepdim=True)
        variance = ((y - mean) ** 2).mean(1, keepdim=True)
        scale, shift = (
            t[f"{at}.{name}.body.{kind}"].reshape(1, -1, 1, 1) for kind in ("weight", "bias")
        )
        return (y - mean) / (variance + 1e-5).sqrt() * scale + shift

    normalised = over_channels(x, "norm1")
    first, second = normalised[:, 0::2], normalised[:, 1::2]

    qkv = F.conv2d(first, t[f"{at}.attn.qkv.weight"])
    qkv = F.conv2d(qkv, t[f"{at}.attn.qkv_dwconv.weight"], padding=1, groups=3 * c)
    q, k, v = (
        part.reshape(batch, heads, c // heads, height * width) for part in qkv.split(c, dim=1)
    )
    q = q / q.norm(dim=-1, keepdim=True)
    k = k / k.norm(dim=-1, keepdim=True)
    scores = torch.einsum("bhip,bhjp->bhij", q, k) * t[f"{at}.attn.temperature"]
    a = torch.einsum("bhij,bhjp->bhip", scores.softmax(-1), v).reshape(batch, c, height, width)

    g = f"{at}.attn.gatedcnn"
    mean, var, scale, shift = (
        t[f"{g}.norm.{kind}"].reshape(1, -1, 1, 1)
        for kind in ("running_mean", "running_var", "weight", "bias")
    )
    f_hat = (second - mean) / (var + 1e-5).sqrt() * scale + shift
    mu = f_hat.mean((2, 3), keepdim=True)
    sigma = (((f_hat - mu) ** 2).mean((2, 3), keepdim=True) + 1e-6).sqrt()
    tau = t[f"{g}.tau"] * torch.sigmoid(mu + sigma)
    hidden = F.conv2d(f_hat, t[f"{g}.W_exp.weight"])
    gamma, beta, alpha = hidden[:, :c], hidden[:, c : 2 * c], hidden[:, 2 * c :]
    alpha = F.conv2d(alpha, t[f"{g}.W_depth.weight"], padding=3, groups=alpha.shape[1])
    alpha = alpha * (1 + tau[:, : alpha.shape[1]])
    opened = torch.sigmoid(gamma) * F.conv2d(torch.cat((beta, alpha), 1), t[f"{g}.W_gate.weight"])
    gated = F.conv2d(opened + second, t[f"{g}.W_proj.weight"])

    spatial = torch.cat((a + torch.sigmoid(gated), gated + torch.sigmoid(a)), 1)
    spectrum = torch.fft.rfft2(a) + torch.fft.rfft2(gated)
    one = torch.fft.irfft2(spectrum, s=(height, width))
    frequency = torch.stack((one, one), dim=2).reshape(batch, channels, height, width)
    lam = t[f"{at}.attn.lam"].reshape(())
    fused = lam * spatial + (1 - lam) * frequency
    x = x + F.conv2d(fused, t[f"{at}.attn.project_out.weight"])

    wide = F.conv2d(over_channels(x, "norm2"), t[f"{at}.ffn.project_in.weight"])
    wide = F.conv2d(wide, t[f"{at}.ffn.dwconv.weight"], padding=1, groups=wide.shape[1])
    one, two = wide.chunk(2, 1)
    return x + F.conv2d(F.gelu(one) * two, t[f"{at}.ffn.project_out.weight"])


def their_network(tensors: dict[str, Tensor], size: str, x: Tensor) -> Tensor:
    """Evaluate the whole network in float64; height and width are multiples of 8."""
    t = {name: value.double() for name, value in tensors.items()}
    counts, refinement, _, _ = SIZES[size]
    x = x.double()

    def stage(name: str, count: int, heads: int, y: Tensor) -> Tensor:
        for index in range(count):
            y = their_block(t, f"{name}.{index}", y, heads)
        return y

    def wide(name: str, y: Tensor) -> Tensor:
        return F.conv2d(y, t[f"{name}.weight"], padding=1)

    one = stage("encoder_level1", counts[0], 1, wide("patch_embed.proj", x))
    two = F.pixel_unshuffle(wide("down1_2.body.0", one), 2)
    two = stage("encoder_level2", counts[1], 2, two)
    three = F.pixel_unshuffle(wide("down2_3.body.0", two), 2)
    three = stage("encoder_level3", counts[2], 4, three)
    four = F.pixel_unshuffle(wide("down3_4.body.0", three), 2)
    four = F.conv2d(stage("latent", counts[3], 8, four), t["reduce_dim_level3.weight"])
    y = torch.cat((F.pixel_shuffle(wide("up4_3.body.0", four), 2), three), 1)
    y = stage("decoder_level3", counts[2], 4, F.conv2d(y, t["reduce_chan_level3.weight"]))
    y = torch.cat((F.pixel_shuffle(wide("up3_2.body.0", y), 2), two), 1)
    y = stage("decoder_level2", counts[1], 2, F.conv2d(y, t["reduce_chan_level2.weight"]))
    y = torch.cat((F.pixel_shuffle(wide("up2_1.body.0", y), 2), one), 1)
    y = stage("refinement", refinement, 1, stage("decoder_level1", counts[0], 1, y))
    return (wide("output", y) + x).float()


def write(tensors: dict[str, Tensor], path: Path) -> Path:
    """Write a checkpoint, plain or as Lightning does."""
    if path.suffix == ".ckpt":
        content = {
            "epoch": 78,
            "global_step": 342702,
            "pytorch-lightning_version": "2.0.1",
            "state_dict": {f"net.{name}": value for name, value in tensors.items()}
            | {"loss_fn.weight": torch.zeros(3)},
            "loops": {},
            "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_path": "x"}},
            "optimizer_states": [{"state": {}, "param_groups": [{"lr": 2e-4, "params": [0, 1]}]}],
            "lr_schedulers": [],
        }
        torch.save(content, path)
    else:
        torch.save(tensors, path)
    return path


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "models"))


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_their_layout_has_the_published_counts(size: str) -> None:
    learnt = [
        torch.Size(shape).numel()
        for name, shape in their_names(size).items()
        if "running" not in name and "num_batches" not in name
    ]
    assert sum(learnt) == SIZES[size][3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "name"),
    [
        ("micro", "epoch=78-step=342702.ckpt"),
        ("micro", "plain.pth"),
        ("tiny", "epoch=78-step=342702.ckpt"),
        ("small", "plain.pth"),
    ],
)
def test_a_file_of_theirs_is_their_network(tmp_path: Path, size: str, name: str) -> None:
    """In the plain forward and in strips, whose windows are several at this size."""
    tensors = their_tensors(size)
    network = load_model(write(tensors, tmp_path / name))
    assert network.config.gate_norm == "batch"
    assert network.config.gate_activation == "sigmoid"
    assert network.config.repeat == "interleave"
    side = 64 if size == "micro" else 24
    image = torch.rand(1, 3, side, side + 8, generator=torch.Generator().manual_seed(1))
    expected = their_network(tensors, size, image)
    with torch.inference_mode():
        assert (network(image) - expected).abs().max() < 1e-5
    pixels = image[0].movedim(0, -1).numpy()
    restored = torch.from_numpy(
        restore(pixels, model=network, device="cpu", intensity=(0, 1))
    ).movedim(-1, 0)
    assert (restored - expected[0]).abs().max() < 1e-5


def test_their_file_added_under_lightnings_name_is_their_network(tmp_path: Path) -> None:
    tensors = their_tensors("micro")
    card = add_model(write(tensors, tmp_path / "epoch=78-step=342702.ckpt"))
    assert card.name == "epoch=78-step=342702"
    image = torch.rand(1, 3, 32, 40)
    with torch.inference_mode():
        found = load_model(card.name)(image)
    assert (found - their_network(tensors, "micro", image)).abs().max() < 1e-5


def test_what_looks_inside_sees_their_interleaved_branch(tmp_path: Path) -> None:
    network = load_model(write(their_tensors("micro"), tmp_path / "a.pth"))
    image = torch.rand(1, 3, 32, 40)
    maps, _ = collect(network, image, MapRequest(["latent.0"], ["frequency", "attention", "gated"]))
    both = maps["latent.0", "attention"].array + maps["latent.0", "gated"].array
    frequency = maps["latent.0", "frequency"].array
    assert abs(frequency[0::2] - both).max() < 1e-5
    assert abs(frequency[1::2] - both).max() < 1e-5
    seen = network(image, lambda block, part, tensor: tensor)
    assert (seen - network(image)).abs().max() < 1e-5
    assert feature_maps(image[0].movedim(0, -1).numpy(), "latent.0", model=network)


def test_the_wrong_repeat_would_be_seen() -> None:
    """Or else the comparisons above could not fail for it."""
    from napari_anyir.weights.authors import from_theirs

    tensors = from_theirs(their_tensors("micro"))
    said = {"split": "skip", "gate_activation": "sigmoid", "repeat": "tile"}
    config = infer_config(tensors, said)
    network = AnyIR(config).eval()
    network.load_state_dict(tensors)
    image = torch.rand(1, 3, 32, 40)
    with torch.inference_mode():
        found = network(image)
    assert (found - their_network(their_tensors("micro"), "micro", image)).abs().max() > 1e-3


def test_a_name_that_neither_knows_is_told(tmp_path: Path) -> None:
    tensors = {**their_tensors("micro"), "prompt1.weight": torch.zeros(2)}
    with pytest.raises(ModelError, match=r"unknown 'prompt1\.weight'"):
        load_model(write(tensors, tmp_path / "more.pth"))


SMALLEST = AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 2, 4))


@pytest.mark.parametrize(
    "fields",
    [
        {"gate_activation": "sigmoid"},
        {"split": "half"},
        {"repeat": "interleave"},
        {"fusion": "fixed", "repeat": "interleave"},
        {"fusion": "none"},
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", [".pth", ".ckpt"])
def test_switches_that_leave_no_trace_travel_with_the_tensors(
    tmp_path: Path, fields: dict[str, str], suffix: str
) -> None:
    network = build_model(replace(SMALLEST, **fields)).eval()
    path = tmp_path / f"ours{suffix}"
    if suffix == ".ckpt":
        holder = torch.nn.Module()
        holder.network = network
        torch.save({"state_dict": holder.state_dict(), "epoch": 1}, path)
    else:
        torch.save(network.state_dict(), path)
    assert load_model(path).config == network.config


def test_what_no_tensor_shows_is_never_guessed(tmp_path: Path) -> None:
    network = build_model(replace(SMALLEST, gate_activation="sigmoid")).eval()
    path = tmp_path / "bare.pth"
    torch.save(dict(network.state_dict()), path)
    with pytest.raises(ModelError, match="split, gate_activation, repeat") as told:
        load_model(path)
    assert "--switches" in str(told.value)
    with pytest.raises(ModelError, match="split, repeat"):
        add_model(path, config={"gate_activation": "sigmoid"})
    add_model(path, config={"split": "skip", "gate_activation": "sigmoid", "repeat": "tile"})
    assert load_model("bare").config == network.config


def test_of_two_networks_in_a_file_the_average_is_taken(tmp_path: Path) -> None:
    holder = torch.nn.Module()
    holder.network, holder.average = build_model("nano"), build_model("nano")
    torch.save({"state_dict": holder.state_dict()}, tmp_path / "state.ckpt")
    found = load_model(tmp_path / "state.ckpt")
    assert found.config == VARIANTS["nano"]
    assert torch.equal(found.embed.weight, holder.average.embed.weight)
