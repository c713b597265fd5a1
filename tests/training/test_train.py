from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_anyir.training.losses import restoration_loss
from napari_anyir.training.photos import PhotoBank, find_photos
from napari_anyir.training.publish import publish, read_sources
from napari_anyir.training.train import Trainer, TrainingConfig, main
from napari_anyir.weights import load_model, verify_model


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rows, columns = np.mgrid[:40, :60]
    for index in range(2):
        image = np.stack([rows * 6, columns * 4, (rows + columns) * 2 + index], -1)
        imsave(folder / f"{index}.png", image.astype(np.uint8), check_contrast=False)
    imsave(folder / "small.png", np.full((9, 5), 77, np.uint8), check_contrast=False)
    return folder


def bank(photos):
    return PhotoBank(find_photos(photos))


SMALL = TrainingConfig(max_time=1, phases=((0.0, 16, 2),), warm_up=10)


def test_crops_are_pieces_of_the_photographs(photos):
    crops = bank(photos).crops(64, 8, torch.Generator().manual_seed(0))
    assert crops.shape == (64, 3, 8, 8)
    grey = torch.round(crops * 255)
    for crop in grey:
        flat = crop.reshape(3, -1)
        if (flat == 77).all():
            continue
        # red tells the row and green the column, so blue is known
        blue = (flat[0] / 6 + flat[1] / 4) * 2
        assert ((flat[2] - blue).abs() <= 1).all()
    turned = [crop[0, 0, 0] == crop[0, 0, 1] for crop in grey]
    assert len({bool(t) for t in turned}) <= 2


def test_small_photographs_are_reflected(photos):
    crops = PhotoBank([photos / "small.png"]).crops(2, 16, torch.Generator().manual_seed(0))
    assert crops.shape == (2, 3, 16, 16)
    assert torch.unique(torch.round(crops * 255)).tolist() == [77]


def test_crops_are_reproducible(photos):
    a, b = (bank(photos).crops(4, 16, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(a, b)


def test_bad_photographs(tmp_path):
    with pytest.raises(FileNotFoundError, match="No images"):
        find_photos(tmp_path)
    deep = tmp_path / "deep.png"
    imsave(deep, np.zeros((4, 4), np.uint16), check_contrast=False)
    with pytest.raises(ValueError, match="8-bit"):
        PhotoBank([deep])


def test_loss_is_l1_plus_a_tenth_of_the_spectrum():
    a, b = torch.rand(2, 3, 8, 8, dtype=torch.float64), torch.rand(2, 3, 8, 8, dtype=torch.float64)
    spectra = [torch.fft.rfft2(x.float()) for x in (a, b)]
    stacked = [torch.stack((s.real, s.imag), -1) for s in spectra]
    expected = (a - b).abs().mean() + 0.1 * (stacked[0] - stacked[1]).abs().mean()
    assert float(restoration_loss(a, b)) == pytest.approx(float(expected), rel=1e-5)
    assert float(restoration_loss(a, b, 0)) == pytest.approx(float((a - b).abs().mean()), rel=1e-5)


def test_schedule_warms_up_from_the_first_step_and_never_rises_again():
    config = TrainingConfig(warm_up=100)
    assert config.rate(0, 0.0) == pytest.approx(config.learning_rate / 100)
    rates = [config.rate(step, step / 1000) for step in range(1001)]
    assert all(b > a for a, b in pairwise(rates[:60]))
    assert all(b <= a for a, b in pairwise(rates[100:]))
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_resumed_run_equals_an_unbroken_one(photos, tmp_path):
    def trainer(name):
        return Trainer(SMALL, bank(photos), tmp_path / name)

    whole = trainer("whole")
    losses = [whole.train_step() for _ in range(4)]
    first = trainer("broken")
    broken = [first.train_step() for _ in range(2)]
    first.save()
    second = trainer("broken")
    second.resume()
    broken += [second.train_step() for _ in range(2)]
    assert broken == losses
    for a, b in zip(whole.average.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_resume_refuses_what_is_not_its_run(photos, tmp_path):
    with pytest.raises(FileNotFoundError, match="Nothing to resume"):
        Trainer(SMALL, bank(photos), tmp_path / "none").resume()
    Trainer(SMALL, bank(photos), tmp_path / "run").save()
    other = TrainingConfig(variant="tiny")
    with pytest.raises(ValueError, match="run of 'nano'"):
        Trainer(other, bank(photos), tmp_path / "run").resume()


def test_loss_falls(photos, tmp_path):
    trainer = Trainer(SMALL, bank(photos), tmp_path / "run")
    losses = [trainer.train_step() for _ in range(24)]
    assert np.mean(losses[-6:]) < np.mean(losses[:6])


def test_command_trains_and_what_it_leaves_can_be_published(photos, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["--data", str(photos), "--out", str(run), "--max-time", "0.02"]
    main([*arguments, "--leave-out", "small.png"])
    assert "loss" in capsys.readouterr().out
    assert not list(run.glob("*.part"))
    card = publish(run, "mine", folder=tmp_path, training={"steps": 1})
    assert verify_model(card) == card.sha256
    assert load_model(tmp_path / "mine.safetensors").config.dim == 16
    with pytest.raises(SystemExit):
        main([*arguments, "--leave-out", "absent.png"])


def test_sources_are_counted(tmp_path):
    table = tmp_path / "sources.tsv"
    table.write_text('file\tsource\tlicence\na\tX\tCC0\nb\tX\tCC0\nc\tY\t"free"\n')
    assert read_sources(table) == ["2 photographs: X (CC0)", '1 photographs: Y ("free")']
