"""`feature_maps` and `gate_numbers`: from an array to maps that lie over it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_anyir
from napari_anyir.inference import Intervention, gate_numbers, switch_off
from napari_anyir.inference.features import DEFAULT_PARTS
from napari_anyir.inference.inside.collecting import MapRequest, collect
from napari_anyir.inference.inside.network_parts import block_scales
from napari_anyir.model import AnyIR, AnyIRConfig

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (19, 26, 3), np.uint8)


@pytest.fixture(scope="module")
def net() -> AnyIR:
    torch.manual_seed(0)
    config = AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))
    return AnyIR(config).eval().requires_grad_(False)


def arrays(maps: dict[tuple[str, str], napari_anyir.inference.FeatureMap]) -> list[np.ndarray]:
    return [found.array for found in maps.values()]


def same(first: dict, second: dict) -> bool:
    return list(first) == list(second) and all(
        np.array_equal(a, b) for a, b in zip(arrays(first), arrays(second), strict=True)
    )


def test_the_default_is_all_blocks_and_the_five_parts(net: AnyIR) -> None:
    maps = napari_anyir.feature_maps(COLOUR, model=net)
    assert list(maps) == [(block, part) for block in block_scales(net) for part in DEFAULT_PARTS]


def test_the_network_sees_the_image_on_its_own_scale(net: AnyIR) -> None:
    x = torch.from_numpy((COLOUR / 255).astype(np.float32)).permute(2, 0, 1)[None]
    direct, numbers = collect(net, x, MapRequest(["decoder1.0"], ["fused"]))
    maps = napari_anyir.feature_maps(COLOUR, "decoder1.0", "fused", model=net)
    np.testing.assert_allclose(arrays(maps)[0], arrays(direct)[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        maps["decoder1.0", "fused"].tau_adj, numbers[0].tau_adj, rtol=1e-4, atol=1e-6
    )


def test_alpha_is_left_out_and_grey_is_three_equal_colours(net: AnyIR) -> None:
    alpha = np.dstack([COLOUR, RNG.integers(0, 256, (19, 26), np.uint8)])
    assert same(
        napari_anyir.feature_maps(alpha, "latent.*", model=net),
        napari_anyir.feature_maps(COLOUR, "latent.*", model=net),
    )
    grey = COLOUR[..., 0]
    assert same(
        napari_anyir.feature_maps(grey, "latent.*", model=net),
        napari_anyir.feature_maps(np.dstack([grey] * 3), "latent.*", model=net),
    )


def test_a_plane_of_a_stack_is_mapped_with_the_stack(net: AnyIR) -> None:
    stack = RNG.integers(0, 4000, (2, 5, 19, 26)).astype(np.uint16)
    low, high = np.percentile(stack, (0.1, 99.9))
    one = napari_anyir.feature_maps(stack, "latent.*", axes="TCYX", index=(1, 4), model=net)
    alone = napari_anyir.feature_maps(stack[1, 4], "latent.*", intensity=(low, high), model=net)
    assert same(one, alone)
    # Wherever the axes stand
    moved = np.moveaxis(stack, (0, 1), (3, 1))
    again = napari_anyir.feature_maps(moved, "latent.*", axes="YCXT", index=(4, 1), model=net)
    assert same(one, again)
    last = napari_anyir.feature_maps(stack, "latent.*", axes="TCYX", index=(-1, -1), model=net)
    assert same(one, last)


def test_a_stack_without_an_index_is_refused(net: AnyIR) -> None:
    stack = np.zeros((2, 5, 19, 26), np.uint8)
    with pytest.raises(ValueError, match=r"has 10 \(2 T x 5 C\); name one, such as index=\(0, 0\)"):
        napari_anyir.feature_maps(stack, axes="TCYX", model=net)
    with pytest.raises(ValueError, match=r"one, such as index=0\."):
        napari_anyir.feature_maps(stack[0], model=net)
    with pytest.raises(ValueError, match=r"index=3 has 1 numbers .* 2 axes .*\(TC\)"):
        napari_anyir.feature_maps(stack, axes="TCYX", index=3, model=net)
    with pytest.raises(ValueError, match=r"axis C has 5 planes; choose from 0 to 4"):
        napari_anyir.feature_maps(stack, axes="TCYX", index=(0, 5), model=net)
    maps = napari_anyir.feature_maps(stack[:1, 0], "latent.*", model=net)  # one plane needs none
    assert len(maps) == len(DEFAULT_PARTS)


@pytest.mark.parametrize("image", [np.full((9, 7), 3.0), np.zeros((1, 1), np.uint16)])
def test_constant_and_tiny_images_are_handled(net: AnyIR, image: np.ndarray) -> None:
    for array in arrays(napari_anyir.feature_maps(image, model=net)):
        assert np.isfinite(array).all()


@pytest.mark.parametrize(
    ("image", "error", "sentence"),
    [
        (np.zeros((0, 4)), ValueError, r"no pixels \(0 x 4\)"),
        (np.array([[0.0, np.nan]]), ValueError, "1 NaN pixel"),
        (np.zeros((4, 4), bool), TypeError, "is a mask"),
        ([[1, 2]], TypeError, "must be a numpy, dask or zarr array, not list"),
        (np.ma.masked_array(np.zeros((4, 4))), TypeError, "is masked"),
        (np.zeros(5), ValueError, "at least rows and columns"),
    ],
)
def test_what_is_no_image_is_refused(
    net: AnyIR, image: object, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        napari_anyir.feature_maps(image, model=net)


def test_unknown_names_are_refused(net: AnyIR) -> None:
    with pytest.raises(ValueError, match=r"no block 'encoder9\.0'; choose from encoder1\.0, enc"):
        napari_anyir.feature_maps(COLOUR, "encoder9.0", model=net)
    with pytest.raises(ValueError, match="no part 'delta'; choose from alpha, beta"):
        napari_anyir.feature_maps(COLOUR, parts=["alpha", "delta"], model=net)
    with pytest.raises(ValueError, match="'median' is unknown; choose from mean_abs"):
        napari_anyir.feature_maps(COLOUR, reduce="median", model=net)
    with pytest.raises(ValueError, match="There is no device 'gpu'"):
        napari_anyir.feature_maps(COLOUR, device="gpu", model=net)
    with pytest.raises(ValueError, match="no block 'encoder9"):
        napari_anyir.feature_maps(
            COLOUR, interventions=[switch_off("beta", "encoder9*")], model=net
        )


def test_half_precision_maps_are_float32(net: AnyIR) -> None:
    full = napari_anyir.feature_maps(COLOUR, "latent.0", "gated", model=net)
    half = napari_anyir.feature_maps(COLOUR, "latent.0", "gated", model=net, precision="bfloat16")
    assert arrays(half)[0].dtype == np.float32
    assert not np.array_equal(arrays(half)[0], arrays(full)[0])
    np.testing.assert_allclose(arrays(half)[0], arrays(full)[0], atol=0.05)


def test_the_callers_network_is_not_changed(net: AnyIR) -> None:
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    napari_anyir.feature_maps(
        COLOUR, model=net, precision="bfloat16", interventions=[Intervention("*", "lambda", 0)]
    )
    after = net.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert {tensor.dtype for tensor in after.values()} == {torch.float32}


def test_gate_numbers_are_those_of_the_maps(net: AnyIR) -> None:
    numbers = gate_numbers(COLOUR, model=net)
    assert [number.block for number in numbers] == list(block_scales(net))
    maps = napari_anyir.feature_maps(COLOUR, model=net, parts="fused")
    for number in numbers:
        found = maps[number.block, "fused"]
        np.testing.assert_array_equal(found.tau_adj, number.tau_adj)
        assert found.lam == number.lam == 0.5
        assert found.scale == number.scale
    changed = gate_numbers(
        COLOUR, "latent.0", model=net, interventions=[Intervention("*", "lambda", 1)]
    )
    assert changed[0].lam == 1.0


def test_lazy_arrays_give_their_plane(net: AnyIR) -> None:
    da = pytest.importorskip("dask.array")
    stack = RNG.integers(0, 4000, (3, 19, 26)).astype(np.uint16)
    lazy = da.from_array(stack, chunks=(1, 19, 26))
    assert same(
        napari_anyir.feature_maps(lazy, "latent.*", axes="ZYX", index=1, model=net),
        napari_anyir.feature_maps(stack, "latent.*", axes="ZYX", index=1, model=net),
    )
