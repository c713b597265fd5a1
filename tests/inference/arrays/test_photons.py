from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_anyir.inference import restore_with_record
from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import (
    IntensityRange,
    PhotonRange,
    check_intensity,
    for_model,
)
from napari_anyir.inference.arrays.noise_level import NoiseLevel, fit_noise, measure_blocks
from napari_anyir.inference.arrays.photons import photon_range
from napari_anyir.inference.arrays.plane_reading import find_range
from napari_anyir.inference.volumes.lazy import find_range_lazily

GAIN, OFFSET = 4.0, 100.0


def spots(side: int = 256, seed: int = 0) -> np.ndarray:
    """Blurred points on a dark background, 0.05 to 1."""
    rng = np.random.default_rng(seed)
    image = np.zeros((side, side))
    image[rng.integers(0, side, side), rng.integers(0, side, side)] = 1
    image = gaussian_filter(image, 2.5)
    return 0.05 + 0.95 * image / image.max()


def ramp(side: int = 256) -> np.ndarray:
    return np.linspace(0.05, 1, side)[:, None] * np.ones((1, side))


def counted(scene: np.ndarray, photons: float, seed: int = 1, read: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    counts = GAIN * rng.poisson(photons * scene) + OFFSET + rng.normal(0, read + 1e-9, scene.shape)
    return np.rint(counts).astype(np.uint16)


@pytest.mark.parametrize("photons", [5, 50, 500])
@pytest.mark.parametrize("read", [0.0, 6.0])
def test_gain_and_intercept_are_found_blind(photons, read):
    blocks = measure_blocks(counted(ramp(512), photons, read=read)[..., None])
    found = fit_noise(blocks)
    assert found is not None
    assert found.gain == pytest.approx(GAIN, rel=0.06)
    middle = OFFSET + GAIN * photons / 2
    variance = GAIN**2 * photons / 2 + read**2
    assert found.gain * middle + found.intercept == pytest.approx(variance, rel=0.05)
    assert found.rising


@pytest.mark.parametrize("photons", [20, 200])
def test_texture_is_not_taken_for_noise(photons):
    found = fit_noise(measure_blocks(counted(spots(512), photons)[..., None]))
    assert found is not None
    assert found.gain == pytest.approx(GAIN, rel=0.25)


def test_noise_of_one_strength_does_not_rise():
    noisy = 1000 * ramp() + np.random.default_rng(0).normal(0, 20, (256, 256))
    found = fit_noise(measure_blocks(noisy[..., None]))
    assert found is not None
    assert not found.rising
    assert found.gain * 500 + found.intercept == pytest.approx(400, rel=0.05)


def test_correlated_noise_is_not_underrated():
    light = 50 * ramp(512)
    noise = gaussian_filter(np.random.default_rng(0).normal(size=light.shape), 0.6)
    noise *= np.sqrt(light) / noise.std()
    found = fit_noise(measure_blocks((light + noise)[..., None]))
    assert found is not None
    assert 0.6 < found.gain < 1.2


@pytest.mark.parametrize("shape", [(7, 300), (16, 24), (1, 1)])
def test_small_images_have_nothing_to_estimate_from(shape):
    assert fit_noise(measure_blocks(np.random.default_rng(0).random((*shape, 1)))) is None


def test_blocks_of_parts_are_those_of_the_whole():
    values = np.random.default_rng(0).random((2, 96, 120, 1))
    for step in (1, 3):
        whole = measure_blocks(values, step)
        parts = [
            measure_blocks(values[:, y : y + 40, x : x + 24], step, (y, x))
            for y in range(0, 96, 40)
            for x in range(0, 120, 24)
        ]
        together = np.concatenate(parts)
        assert len(whole) == 2 * -(-12 // step) * -(-15 // step)
        np.testing.assert_allclose(np.sort(together, axis=0), np.sort(whole, axis=0))


@pytest.mark.parametrize("photons", [5, 20, 100, 500])
@pytest.mark.parametrize("scene", [ramp, spots])
def test_an_ideal_denoiser_keeps_the_mean(photons, scene):
    """What it returns is the mean of many transformed exposures, not the transform of the mean."""
    light = scene()
    blocks = measure_blocks(counted(light, photons)[..., None])
    level = fit_noise(blocks)
    assert level is not None
    low, high = np.percentile(counted(light, photons), (0.1, 99.9))
    mapping = photon_range(level, low, high, high)
    ideal = np.mean([mapping.to_unit(counted(light, photons, seed)) for seed in range(100)], axis=0)
    back = mapping.from_unit(ideal).mean() - OFFSET
    truth = GAIN * photons * light.mean()
    assert back == pytest.approx(truth, rel=0.005, abs=0.06 * GAIN)
    # The transform's own inverse loses a quarter of the gain.
    stabilised = ideal * mapping._scale + mapping._stabilise(low)
    plain = mapping._destabilise(stabilised).mean() - OFFSET
    assert truth - plain > 0.09 * GAIN


def test_the_transformed_noise_is_equally_strong_anywhere():
    mapping = PhotonRange(OFFSET, 900.0, gain=GAIN, intercept=-GAIN * OFFSET)
    seen = mapping.to_unit(counted(ramp(512), 200))
    deviations = [
        (seen[rows] - seen[rows].mean(1, keepdims=True)).std()
        for rows in (range(50, 70), range(490, 510))
    ]
    assert deviations[0] == pytest.approx(deviations[1], rel=0.05)
    assert deviations[0] * mapping._scale == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("photons", [5, 50, 500])
@pytest.mark.parametrize("scene", [ramp, spots])
def test_the_bundled_network_keeps_the_mean(photons, scene):
    image = counted(scene(128), photons)
    restored, record = restore_with_record(image, model="nano", intensity="photons")
    assert record.photons is not None
    before, after = image.mean() - OFFSET, restored.mean() - OFFSET
    assert after == pytest.approx(before, rel=0.005, abs=0.06)
    assert restored.std() < image.std()


def test_bright_spots_fit_into_the_range():
    image = counted(ramp(), 50)
    image[100:103, 100:103] = 2 * image.max()
    mapping = find_range(image, Layout("YX", image.shape), "photons")
    assert isinstance(mapping, PhotonRange)
    assert mapping.to_unit(image.astype(float)).max() == pytest.approx(1.0)
    image[0, 0] = 65535
    stretched = find_range(image, Layout("YX", image.shape), "photons")
    assert stretched.to_unit(np.array([np.percentile(image, 99.9)]))[0] == pytest.approx(
        0.5, abs=0.02
    )
    exact = stretched.from_unit(stretched.to_unit(np.array([65535.0])))
    assert exact[0] == pytest.approx(65535, rel=1e-3)


def test_a_spelled_mapping_is_the_same_again():
    for mapping in (
        photon_range(NoiseLevel(1.7, -3.1, True), 0.3, 17.0, 21.0, floor=0.25),
        IntensityRange(0.1, 0.7, floor=-0.3),
        IntensityRange(100.0, 300.0),
    ):
        image = np.ones((4, 4), np.float32)
        wish = check_intensity(mapping.spell())
        assert find_range(image, Layout("YX", image.shape), wish) == mapping


@pytest.mark.parametrize(
    "wrong",
    ["photons:1,2", "photons:2,1,1,0,0", "photons:0,1,-1,0,0", "range:0,x,1", "range:nan,1,0"],
)
def test_a_mapping_spelled_wrongly_is_refused(wrong):
    with pytest.raises(ValueError, match="is unknown; choose 'auto'"):
        check_intensity(wrong)


@pytest.mark.parametrize("chunks", [(64, 64), (50, 100), (256, 30)])
def test_a_lazy_volume_has_the_same_mapping(chunks):
    image = np.stack([counted(spots(), 50, seed) for seed in range(2)])
    layout = Layout("ZYX", image.shape)
    expected = find_range(image, layout, "photons")
    lazy = find_range_lazily(da.from_array(image, chunks=(1, *chunks)), layout, "photons")
    assert isinstance(expected, PhotonRange)
    assert lazy.compute() == expected


def test_without_noise_photons_are_the_linear_range():
    image = (1000 * ramp()).astype(np.uint16)
    layout = Layout("YX", image.shape)
    assert find_range(image, layout, "photons") == find_range(image, layout, "range")


def test_auto_takes_photons_for_the_network_that_only_denoises():
    layout = Layout("YX", (256, 256))
    rising = counted(ramp(), 100)
    steady = (1000 + 500 * ramp() + np.random.default_rng(0).normal(0, 20, (256, 256))).astype("u2")
    wish = for_model("auto", "denoise")
    assert isinstance(find_range(rising, layout, wish), PhotonRange)
    assert type(find_range(steady, layout, wish)) is IntensityRange
    assert type(find_range(rising, layout, for_model("auto", "nano"))) is IntensityRange
    assert for_model("dtype", "denoise") == "dtype"
    colour = np.stack([rising] * 3, axis=-1)
    assert type(find_range(colour, Layout("YXS", colour.shape), wish)) is IntensityRange


def test_dim_grey_images_of_8_bits_are_mapped_by_percentiles():
    dim = (30 * ramp() + 5).astype(np.uint8)
    layout = Layout("YX", dim.shape)
    found = find_range(dim, layout, "auto")
    assert not found.clip
    assert (found.low, found.high) == pytest.approx((6.0, 34.0), abs=1.0)
    assert find_range(dim, layout, "dtype") == IntensityRange(0.0, 255.0, clip=True)
    assert find_range(dim, layout, "auto", stretch=False).clip
    bright = (200 * ramp()).astype(np.uint8)
    assert find_range(bright, layout, "auto").clip
    colour = np.stack([dim] * 3, axis=-1)
    assert find_range(colour, Layout("YXS", colour.shape), "auto").clip
    assert find_range(np.zeros((9, 9), np.uint8), Layout("YX", (9, 9)), "auto").clip


def test_fractions_do_not_fall_below_the_darkest_pixel():
    image = np.random.default_rng(0).normal(50, 10, (64, 64)).astype(np.float32)
    image[20:40, 20:40] = image.min()
    for intensity in ("range", "photons", "auto"):
        restored, _ = restore_with_record(image, model="nano", intensity=intensity)
        assert restored.min() >= image.min()
    dark = np.zeros((64, 64), np.uint16)
    dark[30, 30] = 60000
    assert restore_with_record(dark, model="nano")[0].dtype == np.uint16
