import json

import numpy as np
import pytest
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file
from skimage.io import imsave

from napari_anyir.errors import ModelError
from napari_anyir.training.evaluation.classical import classical
from napari_anyir.training.evaluation.evaluate import (
    EvaluationOptions,
    evaluate,
    measure_sets,
    picture_path,
)
from napari_anyir.training.evaluation.evaluated_runs import (
    Count,
    Run,
    Switches,
    default_switches,
    find_runs,
    training_notes,
)
from napari_anyir.training.evaluation.examples import NoiseStream, centre_crop, read_examples
from napari_anyir.training.evaluation.mean_table import mean_table
from napari_anyir.training.evaluation.metrics import psnr
from napari_anyir.training.evaluation.score_files import ScoreFile, means
from napari_anyir.training.paper.protocols import PROTOCOLS, find_protocol
from napari_anyir.training.sets.found_sets import find_sets
from napari_anyir.training.sets.pairing import Pair
from napari_anyir.weights import find_model

HALF = {"output": lambda image: image / 2}


@pytest.fixture
def sets(tmp_path):
    generator = np.random.default_rng(0)
    root = tmp_path / "data"

    def write(*parts):
        path = root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        imsave(path, generator.integers(60, 190, (33, 50, 3), np.uint8), check_contrast=False)

    for name in ("b.png", "a.png", "c.png"):
        write("CBSD68", name)
    write("Rain100L", "test", "rainy", "rain-001.png")
    write("Rain100L", "test", "norain", "norain-001.png")
    return root


def measured(root, out, restorers=HALF, switches=None, **options):
    chosen = EvaluationOptions(**options)
    found, _ = find_sets(root, find_protocol("dev"), chosen.only)
    counts = {one.test.name: Count(len(one.pairs), one.expected) for one in found}
    run = Run(out, "dev", "half", "", {}, switches or Switches(), counts)
    measure_sets(run, found, restorers, chosen)
    return run


def numbers(run):
    return [(s.set, s.image, s.method, s.psnr, s.ssim) for s in run.scores().scores]


def test_noise_is_one_stream_over_sorted_files_and_rising_sigmas(sets):
    found, _ = find_sets(sets, find_protocol("dev"), "CBSD68")
    assert [one.test.sigma for one in found if one.wanted] == [15, 25, 50]
    stream, generator = NoiseStream(), np.random.RandomState(0)
    for one in found[:3]:
        assert [pair.name for pair in one.pairs] == ["a", "b", "c"]
        for example in read_examples(one.pairs, one.test.sigma, stream):
            noise = generator.randn(32, 48, 3) * one.test.sigma
            expected = np.clip(np.round(example.clean * 255) + noise, 0, 255).astype(np.uint8)
            assert np.array_equal(np.round(example.degraded * 255), expected)


def test_noise_does_not_depend_on_only_limit_or_resuming(sets, tmp_path):
    whole = set(numbers(measured(sets, tmp_path / "whole")))
    for index, options in enumerate(({"only": "sigma 50"}, {"limit": 1}, {"only": "Rain"})):
        part = numbers(measured(sets, tmp_path / f"{index}", **options))
        assert part
        assert set(part) < whole


def test_a_killed_run_goes_on_where_it_was(sets, tmp_path):
    whole = numbers(measured(sets, tmp_path / "whole"))
    calls = []

    def dying(image):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return image / 2

    with pytest.raises(KeyboardInterrupt):
        measured(sets, tmp_path / "broken", {"output": dying})
    table = tmp_path / "broken" / "per-image.csv"
    assert len(ScoreFile(table).scores) == 2 * 4
    with table.open("a") as file:
        file.write("CBSD68 sigma 25,b,inp")  # what a kill in the middle of a line leaves
    again = numbers(measured(sets, tmp_path / "broken", {"output": dying}))
    assert again == whole
    assert len(calls) == 5 + len(whole) // 2 - 4
    measured(sets, tmp_path / "broken", {"output": dying})
    assert len(calls) == 5 + len(whole) // 2 - 4


def test_noise_switches(sets):
    (pair,) = find_sets(sets, find_protocol("dev"))[0][0].pairs[:1]

    def noisy(**switches):
        stream = NoiseStream(**switches)
        return [255 * example.degraded for example in read_examples([pair] * 2, 25, stream)]

    once, anew = noisy(), noisy(seeding="per-image")
    assert np.array_equal(once[0], anew[0])
    assert np.array_equal(anew[0], anew[1])
    assert not np.array_equal(once[0], once[1])
    exact, rounded = noisy(storage="none")[0], noisy(storage="round")[0]
    assert np.abs(rounded - exact).max() <= 0.5 + 1e-3
    # truncation darkens by half a grey level
    assert np.mean(once[0] - exact) == pytest.approx(-0.5, abs=0.03)


def test_trap_sigma_is_named_and_never_taken_by_position(sets, tmp_path):
    for protocol in PROTOCOLS.values():
        for test in protocol.tests:
            assert (test.sigma is not None) == ("sigma" in test.name)
            assert test.sigma is None or test.name.endswith(f"sigma {test.sigma}")
    rows = measured(sets, tmp_path / "out").means()
    for sigma in (15, 25):  # at 50 more is clipped
        found = rows[f"CBSD68 sigma {sigma}"]["input"].psnr
        assert found == pytest.approx(20 * np.log10(255 / sigma), abs=0.3)


def test_trap_letter_case_of_switches(sets):
    for switch, value in (
        ("ssim", "Uniform"),
        ("noise_seed", "ONCE"),
        ("rounding", "None"),
        ("noise_storage", "Truncate"),
    ):
        with pytest.raises(ValueError, match="did you mean"):
            Switches(**{switch: value})
    with pytest.raises(ValueError, match="No set of dev is called 'rain100l'"):
        find_sets(sets, find_protocol("dev"), "rain100l")


def test_trap_a_checkpoint_that_loads_nothing_is_refused(sets, tmp_path):
    tensors = load_file(find_model("nano").file)
    path = tmp_path / "renamed.safetensors"
    save_file({f"other.{name}": value for name, value in tensors.items()}, path)
    # Where spandrel is installed, it is asked as well.
    with pytest.raises(ModelError, match=r"not of an AnyIR network|no network that AnyIR or"):
        evaluate("dev", sets, str(path), tmp_path / "out")
    card = {"config": find_model("nano").config}
    save_file(
        {f"x{name}": value for name, value in tensors.items()},
        path,
        {"config": json.dumps(card["config"])},
    )
    with pytest.raises(ModelError, match="lacks"):
        evaluate("dev", sets, str(path), tmp_path / "out")


def test_trap_the_metric_variant_stands_beside_the_numbers(sets, tmp_path):
    for ssim, words in (("uniform", "7 x 7"), ("gaussian", "11 taps")):
        run = measured(sets, tmp_path / ssim, switches=Switches(ssim=ssim))
        text = mean_table(run).markdown()
        assert f"SSIM ({ssim})" in text
        assert words in text
    a, b = (
        means(ScoreFile(tmp_path / s / "per-image.csv").scores) for s in ("uniform", "gaussian")
    )
    name = "CBSD68 sigma 25"
    assert a[name]["output"].psnr == b[name]["output"].psnr
    assert a[name]["output"].ssim != b[name]["output"].ssim


def test_trap_the_weight_of_the_fourier_loss_stands_beside_the_numbers(sets, tmp_path):
    """Codebases differ in it silently: whoever reads a table sees what its weights were made with.

    The weight itself is held by test_loss_is_l1_plus_a_tenth_of_the_spectrum.
    """
    run, _ = evaluate("dev", sets, "nano", tmp_path / "out", options=EvaluationOptions(only="Rain"))
    assert "L1 + 0.1 Fourier L1" in mean_table(run).markdown()
    assert find_runs(tmp_path / "out")[0].training == run.training


def test_trap_weights_of_another_protocol_or_half_trained_are_told(tmp_path):
    def notes(protocol, **training):
        return " ".join(training_notes(Run(tmp_path, protocol, "m", "", {}, training=training)))

    assert "trained as '3deg'" in notes("5deg", recipe="3deg")
    assert "trained as '5deg'" in notes("zeroshot-snow", recipe="5deg")
    assert "trained as '" not in notes("zeroshot-snow", recipe="3deg")
    assert "trained as '" not in notes("dev", recipe="3deg")
    assert "40 % done" in notes("3deg", recipe="3deg", finished=0.4)
    assert "done" not in notes("3deg", recipe="3deg", finished=1.0)


def test_trap_results_of_other_weights_are_never_mixed(sets, tmp_path):
    run, _ = evaluate("dev", sets, "nano", tmp_path / "out", options=EvaluationOptions(only="Rain"))
    assert find_runs(tmp_path / "out")[0].sha256 == run.sha256
    tensors = load_file(find_model("nano").file)
    tensors["output.weight"] = tensors["output.weight"] * 0.5
    other = tmp_path / "nano.safetensors"
    save_file(tensors, other, {"config": json.dumps(dict(find_model("nano").config))})
    before = run.means()["Rain100L"]["output"].psnr
    with pytest.raises(ValueError, match="other weights called 'nano'"):
        evaluate("dev", sets, str(other), tmp_path / "out", options=EvaluationOptions(only="Rain"))
    run, _ = evaluate(
        "dev",
        sets,
        str(other),
        tmp_path / "out",
        options=EvaluationOptions(only="Rain", overwrite=True),
    )
    assert run.means()["Rain100L"]["output"].psnr != before


def test_missing_sets_are_named_and_none_is_an_error(sets, tmp_path):
    run, missing = evaluate(
        "3deg", sets, "nano", tmp_path / "out", options=EvaluationOptions(limit=1)
    )
    assert set(missing) == {"SOTS outdoor"}
    assert run.means()["CBSD68 sigma 15"]["output"].images == 1
    note = mean_table(run).markdown()
    assert "not run: SOTS outdoor" in note
    assert "1 of 68" in note
    with pytest.raises(FileNotFoundError, match="None of CDD-11 low, "):
        evaluate("cdd11", sets, "nano", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="CSD"):
        evaluate("zeroshot-snow", sets, "nano", tmp_path / "out")


def test_a_set_without_partners_is_an_error_and_not_skipped(sets, tmp_path):
    (sets / "Rain100L" / "test" / "norain" / "norain-001.png").rename(
        sets / "Rain100L" / "test" / "norain" / "norain-002.png"
    )
    with pytest.raises(FileNotFoundError, match="partner"):
        evaluate("derain", sets, "nano", tmp_path / "out")


def test_pairs_of_two_sizes_are_refused(tmp_path):
    for name, height in (("a", 20), ("b", 21)):
        imsave(tmp_path / f"{name}.png", np.zeros((height, 20, 3), np.uint8), check_contrast=False)
    pair = Pair("a", tmp_path / "a.png", tmp_path / "b.png")
    with pytest.raises(ValueError, match="21 x 20 pixels and its clean image 20 x 20"):
        list(read_examples([pair], None, NoiseStream()))
    with pytest.raises(ValueError, match="no degraded image"):
        list(read_examples([Pair("a", pair.clean, None)], None, NoiseStream()))


def test_crop(tmp_path):
    image = np.arange(33 * 50).reshape(33, 50)
    assert np.array_equal(centre_crop(image), image[:32, 1:49])
    assert centre_crop(image, None) is not None
    assert centre_crop(image, None).shape == (33, 50)
    with pytest.raises(ValueError, match="do not crop"):
        centre_crop(image[:9])
    assert default_switches("cdd11").crop is None
    assert Switches(crop=None).suffix("cdd11") == ""
    assert Switches(crop=None, tile=64).suffix("3deg") == "-crop-none-tile-64"


def test_images_on_request(sets, tmp_path):
    run, _ = evaluate(
        "dev", sets, "nano", tmp_path / "out", options=EvaluationOptions(only="sigma 25", limit=2)
    )
    assert not (run.folder / "images").exists()
    run, _ = evaluate(
        "dev",
        sets,
        "nano",
        tmp_path / "out",
        options=EvaluationOptions(only="sigma 25", images=True),
    )
    restored = np.asarray(Pillow.open(picture_path(run, "CBSD68 sigma 25", "c")))
    strip = np.asarray(Pillow.open(picture_path(run, "CBSD68 sigma 25", "c", "strips")))
    assert restored.shape == (32, 48, 3)
    assert strip.shape == (32, 3 * 48 + 2 * 8, 3)
    clean = centre_crop(np.asarray(Pillow.open(sets / "CBSD68" / "c.png")))
    assert np.array_equal(strip[:, -48:], clean)
    row = next(s for s in run.scores().scores if (s.image, s.method) == ("c", "output"))
    again = psnr(restored.astype(np.float32) / 255, clean.astype(np.float32) / 255)
    assert row.psnr == pytest.approx(again, abs=0.02)
    assert run.means()["CBSD68 sigma 25"]["output"].images == 3  # none counts twice


def test_tiles_and_rounding_are_not_ignored(sets, tmp_path):
    first, *others = [
        evaluate(
            "dev", sets, "nano", tmp_path / "out", EvaluationOptions(only="Rain", switches=switches)
        )[0]
        for switches in (Switches(), Switches(tile=32), Switches(rounding="8bit"))
    ]
    values = [run.means()["Rain100L"]["output"].psnr for run in (first, *others)]
    assert len(set(values)) == 3
    assert values[2] == pytest.approx(values[0], abs=0.05)
    assert {run.folder.name for run in find_runs(tmp_path / "out")} == {
        "nano",
        "nano-tile-32",
        "nano-rounding-8bit",
    }


def test_worse_everywhere_is_told(sets, tmp_path):
    assert "right weights" in mean_table(measured(sets, tmp_path / "half")).markdown()
    same = mean_table(measured(sets, tmp_path / "same", {"output": lambda image: image}))
    assert "right weights" not in same.markdown()


def test_classical_denoisers_denoise():
    pytest.importorskip("pywt")
    clean = np.full((64, 64, 3), 0.5, np.float32)
    noisy = (clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)).astype(np.float32)
    for name, denoise in classical().items():
        assert psnr(denoise(noisy), clean) > psnr(noisy, clean) + 3, name


def test_summary_is_what_the_card_takes(sets, tmp_path):
    run, _ = evaluate("dev", sets, "nano", tmp_path / "out", options=EvaluationOptions(only="Rain"))
    text = (run.folder / "summary.json").read_text()
    rows = json.loads(text)["Rain100L"]
    assert set(rows) == {"input", "output"}
    assert set(rows["output"]) == {"psnr", "ssim", "images"}
