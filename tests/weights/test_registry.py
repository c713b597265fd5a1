import json
import os

import pytest
import torch

import napari_anyir
from napari_anyir import ModelError
from napari_anyir.weights import (
    ModelCard,
    add_model,
    find_model,
    load_model,
    user_folder,
    verify_model,
)
from napari_anyir.weights.loading import PUBLISHED, save_network
from napari_anyir.weights.registry import BUNDLED, broken_cards, sha256


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


def test_cards_say_what_networks_pad_to():
    for card in napari_anyir.list_models():
        assert card.size_multiple == load_model(card.name).config.size_multiple, card.name


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
    assert load_model("my-model").config.dim == 24
    assert not list(models.glob(".anyir-*"))
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
        find_model("broken")
    assert napari_anyir.list_models()[0].name == find_model().name
    assert list(broken_cards()) == [models / "broken.json"]


@pytest.mark.parametrize(
    "card",
    [
        "{",
        "[]",
        "[" * 100000,
        {"name": "x"},
        {"name": 5, "file": "x.safetensors"},
        {"name": "x", "file": None},
        {"name": "x", "file": "../../etc/passwd"},
        {"name": "x", "file": "/etc/passwd"},
        {"name": "x", "file": "..\\x.safetensors"},
        {"name": "x", "file": ".."},
        {"name": "x", "file": "x.safetensors", "config": []},
        {"name": "x", "file": "x.safetensors", "summary": ["x"]},
        {"name": "x", "file": "x.safetensors", "parameters": "many"},
        {"name": "x", "file": "x.safetensors", "measured": {"set": 5}},
        {"name": "x", "file": "x.safetensors", "sha256": "abc"},
        {"name": "x\n", "file": "x.safetensors"},
        {"name": "x", "file": "x.safetensors", "unknown": 1},
    ],
    ids=lambda card: str(card)[:50],
)
def test_broken_cards_block_no_bundled_model(models, card):
    models.mkdir()
    (models / "x.json").write_text(card if isinstance(card, str) else json.dumps(card))
    assert load_model("nano").config.dim == 24
    assert "x" not in [known.name for known in napari_anyir.list_models()]
    with pytest.raises(ModelError, match=r"x\.json' is not a model card \("):
        find_model("x")


def test_a_pipe_or_a_folder_in_the_place_of_a_card(models):
    models.mkdir()
    os.mkfifo(models / "a.json")
    (models / "b.json").mkdir()
    (models / "c.json").symlink_to("/nowhere/c.json")
    assert len(broken_cards()) == 3
    assert find_model("nano").name == "nano"


@pytest.mark.parametrize("name", [".", "..", "-x", ".hidden", "", "a/b", "a\\b", "x" * 200, "a\n"])
def test_names_that_no_model_may_have(checkpoint, name):
    with pytest.raises(ModelError, match="cannot name a model"):
        add_model(checkpoint, name)


def test_weights_that_are_not_those_of_the_card_beside_them(tmp_path, checkpoint, models):
    card = json.loads(find_model("nano").file.with_suffix(".json").read_text())
    beside = {**card, "file": checkpoint.name}
    checkpoint.with_suffix(".json").write_text(json.dumps(beside))
    with pytest.raises(ModelError, match="damaged or changed"):
        add_model(checkpoint, "mine")
    assert not models.exists() or not list(models.iterdir())


def test_a_long_name_is_no_file(tmp_path):
    for name in ("x" * 5000, "nano\0"):
        with pytest.raises(ModelError, match="longer name than any file"):
            find_model(name)


def test_no_home_and_the_home_of_another(tmp_path, monkeypatch):
    monkeypatch.delenv("NAPARI_ANYIR_MODELS", raising=False)

    def none(*_args, **_options):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_data_dir", none)
    assert find_model("nano").name == "nano"
    with pytest.raises(ModelError, match="set NAPARI_ANYIR_MODELS"):
        user_folder()
