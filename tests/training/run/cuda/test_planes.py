"""Without a card the kernels run in Triton's interpreter; without Triton they are skipped."""

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from napari_anyir.model import AnyIRConfig, build_model
from napari_anyir.model.blocks import DAB
from napari_anyir.training.run.cuda.planes import PlanarDAB, planes_possible, use_planes

pytestmark = pytest.mark.slow  # the interpreter is
CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")


@pytest.fixture(scope="module")
def kernels():
    pytest.importorskip("triton", reason="Triton comes with PyTorch's CUDA builds")
    from napari_anyir.training.run.cuda import kernels

    return kernels


def close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).norm() <= 1e-5 * b.norm()


def both(ours, theirs, images, weights):
    """Compare results and gradients of two functions of images and weights."""
    outputs = [function(images, weights) for function in (ours, theirs)]
    close(outputs[:1], outputs[1:])
    flow = torch.rand_like(outputs[0])
    close(*(torch.autograd.grad(output, (images, weights), flow) for output in outputs))


@pytest.mark.parametrize(("size", "height", "width"), [(3, 9, 13), (7, 16, 16), (3, 1, 40)])
def test_depthwise_filters_as_pytorch_does(kernels, size, height, width):
    images = torch.randn(2, 5, height, width, device=DEVICE)[:, :3].requires_grad_()
    weights = torch.randn(3, 1, size, size, device=DEVICE, requires_grad=True)
    both(
        kernels.depthwise,
        lambda x, w: F.conv2d(x, w, padding=size // 2, groups=3),
        images,
        weights,
    )


def test_gated_depthwise_gates_as_the_feed_forward_network_does(kernels):
    images = torch.randn(2, 4, 9, 20, device=DEVICE, requires_grad=True)
    weights = torch.randn(4, 1, 3, 3, device=DEVICE, requires_grad=True)

    def plain(x, w):
        gate, value = F.conv2d(x, w, padding=1, groups=4).chunk(2, dim=1)
        return F.gelu(gate) * value

    both(kernels.gated_depthwise, plain, images, weights)


@pytest.mark.parametrize(("wide_in", "wide_out"), [(5, 9), (20, 37)])
def test_pointwise_mixes_channels_that_lie_apart(kernels, wide_in, wide_out):
    images = torch.randn(2, 2 * wide_in, 7, 11, device=DEVICE)[:, 0::2].requires_grad_()
    weights = torch.randn(wide_out, wide_in, 1, 1, device=DEVICE, requires_grad=True)
    both(kernels.pointwise, F.conv2d, images, weights)


def test_compilers_are_told_the_truth_about_shapes(kernels):
    images = torch.randn(1, 4, 4, 16, device=DEVICE, requires_grad=True)
    depthwise = torch.randn(4, 1, 3, 3, device=DEVICE, requires_grad=True)
    matrix = torch.randn(5, 4, 1, 1, device=DEVICE, requires_grad=True)
    for name, weights in (
        ("depthwise", depthwise),
        ("gated_depthwise", depthwise),
        ("pointwise", matrix),
    ):
        operator, backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
        flow = torch.rand_like(operator(images, weights))
        torch.library.opcheck(operator, (images, weights))
        torch.library.opcheck(backward, (flow, images.detach(), weights.detach()))


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"repeat": "interleave"},
        {"gate_norm": "batch", "gate_activation": "sigmoid", "repeat": "interleave"},
    ],
    ids=str,
)
@pytest.mark.parametrize("training", [True, False])
def test_a_planar_block_is_the_block(kernels, switches, training):
    torch.manual_seed(0)
    config = AnyIRConfig(dim=4, blocks=(1, 0, 0, 0), refinement=0, **switches)
    assert planes_possible(build_model(config), torch.device("cuda"))
    block = DAB(4, 1, config).to(DEVICE).train(training)
    for name, buffer in block.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-1, 1)
    for weights in block.parameters():
        torch.nn.init.uniform_(weights, -0.7, 0.9)
    images = torch.rand(2, 4, 8, 16, device=DEVICE, requires_grad=True)
    parameters = (images, *block.parameters())
    expected = block(images)
    flow = torch.rand_like(expected)
    gradients = torch.autograd.grad(expected, parameters, flow)
    block.__class__ = PlanarDAB
    restored = block(images)
    close([restored], [expected])
    for ours, theirs in zip(
        torch.autograd.grad(restored, parameters, flow), gradients, strict=True
    ):
        assert (ours - theirs).norm() <= 1e-3 * theirs.norm().clamp_min(1e-3)


def test_weights_keep_their_names(kernels):
    network = build_model("nano")
    names = list(network.state_dict())
    use_planes(network)
    assert list(network.state_dict()) == names
    assert all(isinstance(block, PlanarDAB) for _, _, block in network.named_blocks())


def test_other_switches_and_processors_train_as_before():
    other = build_model(AnyIRConfig(dim=4, blocks=(1, 0, 0, 0), refinement=0, split="half"))
    assert not planes_possible(other, torch.device("cuda"))
    assert not planes_possible(build_model("nano"), torch.device("cpu"))


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from napari_anyir.training.run.cuda import kernels

def check(kernel, sizes, images="*bf16"):
    types = dict.fromkeys(("images", "gradient", "out"), images)
    types.update(dict.fromkeys(("weights", "sums"), "*fp32"))
    signature = {name: types.get(name, "i32") for name in kernel.arg_names}
    signature.update(dict.fromkeys(sizes, "constexpr"))
    source = ASTSource(kernel, signature, constexprs=sizes)
    print(kernel.__name__, "ptx" in triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm)

for size in (3, 7):
    tile = {"SIZE": size, "ROWS": 4, "COLUMNS": 32}
    check(kernels._weight_kernel, tile)
    check(kernels._filter_kernel, tile | {"FLIP": True})
check(kernels._gate_kernel, {"SIZE": 3, "ROWS": 4, "COLUMNS": 32, "BACKWARD": True})
check(kernels._product_kernel, {"ROWS": 64, "DEPTH": 32, "PIXELS": 128})
check(kernels._matrix_kernel, {"ROWS": 64, "COLUMNS": 64, "PIXELS": 64})
"""


def test_kernels_compile_for_a_card_that_is_not_there():
    """The interpreter takes what a compiler refuses: tuples that change, types that differ."""
    pytest.importorskip("triton", reason="Triton comes with PyTorch's CUDA builds")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[1::2] == ["True"] * 7
