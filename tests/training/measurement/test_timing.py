import numpy as np
import pytest
from skimage.io import imsave

from napari_anyir.errors import ModelError
from napari_anyir.training.measurement import timing
from napari_anyir.training.measurement.timing import measure_time, read_timings, write_timings


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data" / "CBSD68"
    folder.mkdir(parents=True)
    for name in "abc":
        pixels = np.full((33, 40, 3), 90, np.uint8)
        imsave(folder / f"{name}.png", pixels, check_contrast=False)
    return tmp_path / "data"


def test_network_and_whole_run_are_apart(root, monkeypatch):
    calls = []
    real = timing.forward_of

    def watched(*arguments):
        name, forward = real(*arguments)

        def slow(image):
            calls.append(tuple(image.shape))
            return forward(image)

        return name, slow

    monkeypatch.setattr(timing, "forward_of", watched)
    found = measure_time(root, ["nano"], device="cpu", limit=2)
    assert [one.set for one in found] == ["CBSD68 sigma 15", "CBSD68 sigma 25", "CBSD68 sigma 50"]
    assert calls == [(1, 3, 32, 32)] * 3 * (1 + 2)  # one warm-up for each set
    for one in found:
        assert (one.model, one.images, one.expected, one.pixels) == ("nano", 2, 68, 2 * 32 * 32)
        assert 0 < one.network_seconds < one.whole_seconds
        assert one.device.startswith("cpu, ")


def test_promptir_is_timed_beside(root, monkeypatch):
    small = timing.PromptIR
    monkeypatch.setattr(timing, "PromptIR", lambda: small((1, 0, 0, 0)))
    found = measure_time(root, ["PromptIR"], device="cpu", limit=1)
    assert {one.model for one in found} == {"PromptIR"}
    assert all(one.network_seconds > 0 for one in found)


def test_nothing_to_time_is_an_error(root, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="None of SOTS outdoor"):
        measure_time(tmp_path / "empty", ["nano"])
    with pytest.raises(ModelError, match="Unknown model"):
        measure_time(root, ["huge"])


def test_timings_of_other_models_are_kept(root, tmp_path):
    first = measure_time(root, ["nano"], device="cpu", limit=1)
    write_timings(first, tmp_path / "out")
    other = [timing.Timing("tiny", "cpu", "Rain100L", 1, 100, 2.0, 1.0, 9)]
    write_timings(other, tmp_path / "out")
    assert read_timings(tmp_path / "out") == [*first, *other]
    write_timings(first[:1], tmp_path / "out")
    assert read_timings(tmp_path / "out") == [*other, *first[:1]]
    (tmp_path / "timing.json").write_text("[1]")
    with pytest.raises(ValueError, match="measure again"):
        read_timings(tmp_path)
