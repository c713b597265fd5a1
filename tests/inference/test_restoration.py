"""`restore`: any array in, the same array restored out, and one sentence where it cannot be."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import napari_anyir
from napari_anyir.inference import restore, restore_into, restore_with_record
from napari_anyir.model import AnyIR

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FLOATS = ["float16", "float32", "float64"]


def picture(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return generator.random(shape).astype(dtype)
    return generator.integers(0, min(np.iinfo(dtype).max, 5000), shape, dtype=dtype, endpoint=True)


def by_hand(network: AnyIR, plane: np.ndarray, low: float, high: float) -> np.ndarray:
    """The definition, in a few plain lines: (Y, X) or (Y, X, 3) to float64."""
    seen = plane if plane.ndim == 3 else np.repeat(plane[..., None], 3, axis=2)
    seen = ((seen.astype(np.float64) - low) / (high - low)).astype(np.float32)
    with torch.inference_mode():
        output = network(torch.from_numpy(seen.transpose(2, 0, 1)[None].copy()))
    result = low + output[0].numpy().transpose(1, 2, 0).astype(np.float64) * (high - low)
    return result if plane.ndim == 3 else result.mean(axis=2)


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
@pytest.mark.parametrize(("shape", "axes"), [((13, 18), "YX"), ((13, 18, 3), "YXS")])
def test_is_the_network_between_two_mappings(
    micro: AnyIR, dtype: str, shape: tuple[int, ...], axes: str
) -> None:
    image = picture(shape, dtype)
    before = image.copy()
    result, record = restore_with_record(image, axes=axes, model=micro)
    assert type(result) is np.ndarray
    assert result.dtype == image.dtype
    assert result.shape == shape
    np.testing.assert_array_equal(image, before)
    low, high = record.intensity  # type: ignore[misc]
    expected = by_hand(micro, image, low, high)
    if image.dtype.kind == "f":
        tolerance = 1e-3 if dtype == "float16" else 1e-5
        np.testing.assert_allclose(result, expected.clip(0, 1), atol=tolerance)
    else:
        limits = np.iinfo(dtype)
        expected = expected.clip(float(limits.min), float(limits.max))
        np.testing.assert_allclose(result.astype(float), expected, atol=0.5 + 1e-4 * (high - low))
    assert not np.array_equal(result, image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (1, 1, 3), (1, 2, 4), (8, 8)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_tiny_images(micro: AnyIR, shape: tuple[int, ...], dtype: str) -> None:
    image = picture(shape, dtype)
    result = restore(image, model=micro)
    assert result.shape == shape
    assert np.isfinite(result).all()


@pytest.mark.parametrize(
    "shape", [(0, 5), (5, 0), (0, 4, 4), (2, 0, 4), (0, 4, 3), (4, 0, 4, 4, 3)]
)
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32"])
def test_empty_images_come_back_empty(micro: AnyIR, shape: tuple[int, ...], dtype: str) -> None:
    axes = "TZCYXS"[-len(shape) - 1 : -1] if shape[-1] != 3 else "TZYXS"[-len(shape) :]
    result, record = restore_with_record(np.zeros(shape, dtype), axes=axes, model=micro)
    assert result.shape == shape
    assert result.dtype == np.dtype(dtype)
    assert (record.planes, record.intensity, record.mode) == (0, None, None)


@pytest.mark.parametrize("value", [0, 1, 77, 255])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_constant_images(micro: AnyIR, value: int, dtype: str) -> None:
    result = restore(np.full((9, 9), value, dtype), model=micro)
    assert result.dtype == dtype
    assert np.isfinite(result).all()


def test_planes_are_restored_one_by_one(micro: AnyIR) -> None:
    image = picture((2, 3, 12, 10), "uint16")
    result = restore(image, axes="TCYX", model=micro, intensity=(0, 5000))
    for index in np.ndindex(2, 3):
        alone = restore(image[index], model=micro, intensity=(0, 5000))
        np.testing.assert_array_equal(result[index], alone)


@pytest.mark.parametrize(
    ("shape", "threads"), [((5, 30, 20), 1), ((5, 30, 20), 3), ((2, 258, 256), 2)]
)
def test_company_and_threads_do_not_change_a_bit(
    micro: AnyIR, shape: tuple[int, ...], threads: int
) -> None:
    image = picture(shape, "float32")
    expected = [restore(plane, model=micro) for plane in image]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        result = restore(image, axes="ZYX", model=micro)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(result, np.stack(expected))


@pytest.mark.parametrize("axes", ["SYX", "XYS", "YSX", "SXY"])
def test_axes_in_any_order(micro: AnyIR, axes: str) -> None:
    image = picture((10, 14, 3), "uint8")
    order = ["YXS".index(letter) for letter in axes]
    expected = restore(image, axes="YXS", model=micro).transpose(order)
    result = restore(image.transpose(order), axes=axes, model=micro)
    np.testing.assert_array_equal(result, expected)


def test_axes_between_rows_and_columns(micro: AnyIR) -> None:
    image = picture((4, 10, 12), "uint16")
    expected = restore(image, axes="ZYX", model=micro)
    result = restore(image.transpose(1, 0, 2), axes="YZX", model=micro)
    np.testing.assert_array_equal(result.transpose(1, 0, 2), expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_alpha_passes_through(micro: AnyIR, dtype: str) -> None:
    image = picture((11, 9, 4), dtype)
    result = restore(image, axes="YXS", model=micro)
    np.testing.assert_array_equal(result[..., 3], image[..., 3])
    colours = restore(np.ascontiguousarray(image[..., :3]), axes="YXS", model=micro)
    np.testing.assert_array_equal(result[..., :3], colours)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        np.asfortranarray,
        lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    ],
    ids=["big-endian", "fortran", "strided", "negative strides"],
)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_layout_in_memory_does_not_matter(
    micro: AnyIR, change: Callable[[np.ndarray], np.ndarray], dtype: str
) -> None:
    image = picture((12, 10), dtype)
    expected = restore(image, model=micro)
    changed = change(image)
    result = restore(changed, model=micro)
    assert result.dtype == changed.dtype  # with its byte order
    np.testing.assert_array_equal(result, expected)


def test_read_only_and_subclasses(micro: AnyIR, tmp_path: Path) -> None:
    image = picture((12, 10), "uint8")
    expected = restore(image, model=micro)
    image.setflags(write=False)
    np.testing.assert_array_equal(restore(image, model=micro), expected)
    np.save(tmp_path / "image.npy", image)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    result = restore(mapped, model=micro)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, expected)


def test_strength(micro: AnyIR) -> None:
    image = picture((12, 10), "float64")
    full = restore(image, model=micro, intensity=(0, 1))
    np.testing.assert_array_equal(restore(image, model=micro, strength=0), image)
    half = restore(image, model=micro, intensity=(0, 1), strength=0.5)
    np.testing.assert_allclose(half, (full + image) / 2, rtol=1e-12)
    # nothing is lost at strength 0, not even what a mapping would
    odd = np.array([[2**64 - 1, 1], [2**53 + 1, 0]], np.uint64)
    np.testing.assert_array_equal(restore(odd, model=micro, strength=0), odd)


def test_results_follow_the_scale_of_the_values(micro: AnyIR) -> None:
    image = picture((16, 16), "float64")
    base = restore(image, model=micro, intensity="range")
    moved = restore(1000 + 50 * image, model=micro, intensity="range")
    np.testing.assert_allclose((moved - 1000) / 50, base, atol=1e-4)


def test_bright_pixels_stay_bright(micro: AnyIR) -> None:
    image = picture((40, 40), "uint16")
    image[20, 20] = 40_000
    assert restore(image, model=micro).max() > 10_000


def test_model_by_name_path_or_module(micro: AnyIR, micro_file: Path) -> None:
    image = picture((12, 10), "uint8")
    by_module, of_module = restore_with_record(image, model=micro)
    by_path, of_path = restore_with_record(image, model=micro_file)
    np.testing.assert_array_equal(by_module, by_path)
    np.testing.assert_array_equal(restore(image, model=str(micro_file)), by_path)
    assert (of_module.model, of_path.model) == ("custom", "micro")
    assert len(of_module.sha256) == len(of_path.sha256) == 64
    assert not np.array_equal(restore(image, model="nano"), by_path)


def test_the_callers_network_is_not_changed(micro_file: Path) -> None:
    network = napari_anyir.load_model(micro_file).train()
    restored = restore(picture((8, 8), "uint8"), model=network)
    assert network.training
    np.testing.assert_array_equal(restored, restore(picture((8, 8), "uint8"), model=micro_file))


@pytest.mark.parametrize("planes", [1, 5])
@pytest.mark.parametrize("tile", ["auto", None, 64])
def test_progress_rises_to_its_total(micro: AnyIR, planes: int, tile: str | int | None) -> None:
    seen: list[tuple[int, int]] = []
    restore(
        picture((planes, 70, 50), "uint16"),
        axes="ZYX",
        model=micro,
        tile=tile,
        progress=lambda done, total: seen.append((done, total)),
    )
    done = [d for d, _ in seen]
    assert done == sorted(set(done))
    assert {total for _, total in seen} == {done[-1]}
    assert len(seen) > planes // 2  # two workers may finish at the same time


def test_cancel_before_and_between_planes(micro: AnyIR) -> None:
    image = picture((4, 16, 16), "uint16")
    event = threading.Event()
    seen: list[int] = []

    def stop_after_two(done: int, total: int) -> None:
        seen.append(done)
        if 2 * done >= total:
            event.set()

    with pytest.raises(napari_anyir.Cancelled):
        restore(image, axes="ZYX", model=micro, cancel=event, progress=stop_after_two)
    count = len(seen)
    with pytest.raises(napari_anyir.Cancelled):
        restore(image, axes="ZYX", model=micro, cancel=event, progress=stop_after_two)
    assert len(seen) == count


def test_into_a_target(micro: AnyIR) -> None:
    image = picture((3, 12, 10), "uint16")
    expected, record = restore_with_record(image, axes="ZYX", model=micro)
    target = np.zeros_like(image)
    found = restore_into(image, target, axes="ZYX", model=micro)
    np.testing.assert_array_equal(target, expected)
    assert found.intensity == record.intensity
    swapped = np.zeros(image.shape, ">u2")  # the order of bytes is the target's own business
    restore_into(image, swapped, axes="ZYX", model=micro)
    np.testing.assert_array_equal(swapped, expected)
    for wrong in (image, np.zeros((3, 12, 11), np.uint16), np.zeros((3, 12, 10), np.uint8)):
        with pytest.raises(ValueError, match="target must be another array"):
            restore_into(image, wrong, axes="ZYX", model=micro)


def test_public_name_is_this_function() -> None:
    assert napari_anyir.restore is restore


def test_many_threads_at_once(micro: AnyIR) -> None:
    images = [picture((30, 20 + n), "uint8", seed=n) for n in range(4)]
    expected = [restore(image, model=micro) for image in images]
    results: list[Any] = [None] * len(images)

    def work(n: int) -> None:
        results[n] = restore(images[n], model=micro)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)


GOOD = np.zeros((8, 8), np.uint8)
SPOILT = np.full((8, 8), np.nan, np.float32)


@pytest.mark.parametrize(
    ("image", "options", "error", "words"),
    [
        ([[1, 2], [3, 4]], {}, TypeError, "numpy, dask or zarr array, not list"),
        (None, {}, TypeError, "not NoneType"),
        ("image.png", {}, TypeError, "not str"),
        (5, {}, TypeError, "not int"),
        (torch.zeros(8, 8), {}, TypeError, "call its numpy"),
        (GOOD.astype(bool), {}, TypeError, "mask"),
        (GOOD.astype(complex), {}, TypeError, "complex"),
        (GOOD.astype(object), {}, TypeError, "no intensities"),
        (GOOD.astype(str), {}, TypeError, "no intensities"),
        (np.uint8(3), {}, TypeError, "not uint8"),
        (np.zeros(8), {}, ValueError, "at least rows and columns"),
        (np.zeros(()), {}, ValueError, "at least rows and columns"),
        (np.zeros((3, 8, 8)), {}, ValueError, "more than one way"),
        (np.zeros((4, 8, 8), np.uint16), {}, ValueError, "more than one way"),
        (SPOILT, {}, ValueError, "64 NaN pixels"),
        (SPOILT * 0 + np.inf, {}, ValueError, "NaN"),
        (np.full((8, 8), np.inf), {}, ValueError, "64 infinite pixels"),
        (GOOD, {"axes": "YXZ"}, ValueError, "names 3 axes"),
        (GOOD, {"axes": "AB"}, ValueError, "unknown letter"),
        (GOOD, {"axes": 5}, TypeError, "axes must be a string"),
        (GOOD, {"model": "enormous"}, napari_anyir.ModelError, "Unknown model"),
        (GOOD, {"model": "missing/model.safetensors"}, FileNotFoundError, "no checkpoint"),
        (GOOD, {"model": 5}, TypeError, "model must be"),
        (GOOD, {"model": torch.nn.Identity()}, TypeError, "model must be"),
        (GOOD, {"device": "quantum"}, ValueError, "no device 'quantum'"),
        (GOOD, {"device": "cuda:99"}, ValueError, "no device 'cuda:99'"),
        (GOOD, {"device": None}, TypeError, "device must be"),
        (GOOD, {"precision": "int8"}, ValueError, "precision 'int8' is unknown"),
        (GOOD, {"precision": None}, ValueError, "precision None"),
        (GOOD, {"tile": 31}, ValueError, "tile must be"),
        (GOOD, {"tile": -64}, ValueError, "tile must be"),
        (GOOD, {"tile": 1.5}, ValueError, "tile must be"),
        (GOOD, {"tile": True}, ValueError, "tile must be"),
        (GOOD, {"tile": "big"}, ValueError, "tile must be"),
        (GOOD, {"strength": 1.1}, ValueError, "strength must be"),
        (GOOD, {"strength": -0.1}, ValueError, "strength must be"),
        (GOOD, {"strength": float("nan")}, ValueError, "strength must be"),
        (GOOD, {"strength": "full"}, ValueError, "strength must be"),
        (GOOD, {"intensity": "bright"}, ValueError, "intensity 'bright' is unknown"),
        (GOOD, {"intensity": (5, 5)}, ValueError, "no range"),
        (GOOD, {"intensity": None}, TypeError, "intensity must be"),
        (GOOD, {"progress": 5}, TypeError, "progress must be"),
        (GOOD, {"cancel": True}, TypeError, "cancel must"),
    ],
)
def test_bad_input_gets_one_sentence(
    micro: AnyIR, image: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        restore(image, **{"model": micro, **options})
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert len(message) < 300


def test_a_range_far_from_the_values(micro: AnyIR) -> None:
    image = np.zeros((8, 8), np.float64)
    image[3, 3] = 1e300
    with pytest.raises(ValueError, match="intensity"):
        restore(image, model=micro, intensity=(0, 1))


@pytest.mark.slow
def test_restoring_loads_no_dask_for_numpy_and_no_qt(run_python: Callable[[str], str]) -> None:
    code = (
        "import sys, numpy, napari_anyir\n"
        "from napari_anyir.inference import guess_axes\n"
        "assert 'torch' not in sys.modules\n"
        "napari_anyir.restore(numpy.zeros((8, 8), 'uint8'), model='nano')\n"
        "print([m for m in ('dask', 'zarr', 'qtpy', 'napari', 'skimage') if m in sys.modules])"
    )
    assert run_python(code) == "[]"
    assert "torch" in sys.modules  # the list above is of another process
