import json

import pytest
import torch

import napari_anyir
from napari_anyir import ModelError
from napari_anyir.weights import ModelCard, add_model, find_model, load_model, verify_model
from napari_anyir.weights.loading import PUBLISHED, save_network
from napari_anyir.weights.registry import BUNDLED, sha256


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(folder))
    return folder


@pytest.fixture
def checkpoint(tmp_path, nano):
    path = tmp_path / "mine.safetensors"
    save_network(nano, path)
    return path


def test_bundled_models_are_whole():
    cards = napari_anyir.list_models()
    assert cards
    for card in cards:
        assert card.file.parent == BUNDLED
        assert verify_model(card) == card.sha256
        assert card.licence
        assert card.summary
        assert card.training
        network = load_model(card.name)
        assert not network.training
        assert sum(p.numel() for p in network.parameters()) == card.parameters
        assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_default_is_the_first_of_the_list():
    assert find_model() == napari_anyir.list_models()[0]


def test_list_is_read_without_torch(run_python):
    code = "import sys, napari_anyir; napari_anyir.list_models(); print('torch' in sys.modules)"
    assert run_python(code) == "False"


def test_unknown_model_names_those_at_hand():
    with pytest.raises(ModelError, match=r"'nope'.*nano"):
        load_model("nope")


def test_missing_path():
    with pytest.raises(FileNotFoundError, match=r"no/such\.safetensors"):
        load_model("no/such.safetensors")


def test_path_without_card(checkpoint, nano):
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(load_model(checkpoint)(image), nano(image))


def test_changed_weights_are_refused(checkpoint, tmp_path):
    card = ModelCard(name="mine", file=checkpoint, sha256=sha256(checkpoint))
    card.write(tmp_path / "mine.json")
    load_model(checkpoint)
    content = bytearray(checkpoint.read_bytes())
    content[-1] ^= 1
    checkpoint.write_bytes(content)
    with pytest.raises(ModelError, match="damaged or changed"):
        load_model(checkpoint)


def test_hash_is_read_once_per_file(checkpoint, monkeypatch):
    from napari_anyir.weights import registry

    first = sha256(checkpoint)
    monkeypatch.setattr(registry.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert sha256(checkpoint) == first


def test_add_list_and_load(checkpoint, models):
    card = add_model(checkpoint, "my-model")
    assert card.file == models / "my-model.safetensors"
    assert [c.name for c in napari_anyir.list_models()][-1] == "my-model"
    assert load_model("my-model").config.dim == 16
    assert not list(models.glob("*.part"))
    with pytest.raises(ModelError, match="already a model 'my-model'"):
        add_model(checkpoint, "my-model")
    with pytest.raises(ModelError, match="cannot name a model"):
        add_model(checkpoint, "my/model")


def test_added_model_never_hides_a_bundled_one(checkpoint):
    with pytest.raises(ModelError, match="already a model 'nano'"):
        add_model(checkpoint, "nano")


def test_torch_checkpoint_is_added_as_safetensors(tmp_path, nano, models):
    path = tmp_path / "run.pt"
    torch.save({"state_dict": {f"module.{k}": v for k, v in nano.state_dict().items()}}, path)
    card = add_model(path, config=PUBLISHED)
    assert card.file.suffix == ".safetensors"
    assert load_model("run").config == nano.config


def test_a_broken_card_is_named(models):
    models.mkdir()
    (models / "broken.json").write_text(json.dumps({"name": "broken"}))
    with pytest.raises(ModelError, match=r"broken\.json"):
        napari_anyir.list_models()
