"""Configurations: recipes, unknown keys, overrides, and what they resolve to."""

from __future__ import annotations

import re

import pytest

from napari_anyir.model import VARIANTS, AnyIR
from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.config_files import (
    change_config,
    read_config,
)
from napari_anyir.training.paper.protocols import PROTOCOLS
from napari_anyir.training.recipe_names import RECIPES, list_recipes


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_is_valid_and_can_be_written_and_read(name, tmp_path):
    config = read_config(name)
    assert config.name == name
    path = tmp_path / "again.yaml"
    path.write_text(config.to_yaml())
    assert read_config(path) == config
    assert (RECIPES / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("name", [name for name, protocol in PROTOCOLS.items() if protocol.tasks])
def test_every_protocol_has_the_papers_recipe(name):
    config = read_config(name)
    assert config.data.protocol == name
    assert config.epochs == PROTOCOLS[name].epochs
    assert config.network_config == VARIANTS["tiny"]
    assert config.warm_up_epochs == 15
    assert [(p.crop, p.batch) for p in config.phases] == [(128, 32)]
    settings = config.optimiser
    assert (settings.learning_rate, settings.betas) == (2e-4, (0.9, 0.999))
    assert config.fourier_weight == 0.1
    assert not config.data.rotations
    assert config.data.noise == "truncate"
    assert (config.data.bsd, config.data.augmentation, config.data.draw) == (True, "flips", "epoch")


def test_the_authors_runs_are_switches_of_the_protocol():
    given = ["data.bsd=false", "data.augmentation=promptir", "data.draw=random"]
    data = read_config("3deg", given).data
    assert (data.bsd, data.augmentation, data.draw) == (False, "promptir", "random")
    with pytest.raises(ValueError, match="promptir turns by quarters anyway"):
        read_config("3deg", ["data.augmentation=promptir", "data.rotations=true"])
    with pytest.raises(ValueError, match="augmentation"):
        read_config("3deg", ["data.augmentation=PromptIR"])


def test_ablations_differ_from_3deg_in_the_network_alone():
    base = read_config("3deg").model_dump(exclude={"name", "network"})
    differences = {}
    for name in list_recipes():
        if name.startswith("tab"):
            config = read_config(name)
            assert config.model_dump(exclude={"name", "network"}) == base
            assert config.network.pop("variant") == "tiny"
            differences[name] = config.network
    assert differences["tab7-a"] == {"split": "half", "gate": "none", "fusion": "none"}
    assert differences["tab7-d"] == {"fusion": "none"}
    assert differences["tab10-fixed"] == {"fusion": "fixed"}
    assert len({str(d) for d in differences.values()}) == len(differences) == 11


def test_tab8_quarters_is_the_smaller_network_of_that_table():
    network = AnyIR(read_config("tab8-quarters").network_config)
    assert sum(p.numel() for p in network.parameters()) < 5.6e6


def test_the_bundled_recipe_trains_on_every_share_with_large_crops_at_the_end():
    config = read_config("bundled-tiny")
    assert config.data.shares is None  # all of TRAINING_SHARES
    assert [p.crop for p in config.phases] == [128, 192]
    assert [p.start for p in config.phases if p.crop > 128] == [0.8]
    pixels = [p.crop**2 * p.batch for p in config.phases]
    assert max(pixels) < 1.25 * min(pixels)
    assert config.average == 0.999
    assert config.optimiser.clip == 1.0


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("lerning_rate=1", "3deg: unknown key 'lerning_rate'; known are"),
        ("optimiser.lerning_rate=1", "unknown key 'optimiser.lerning_rate'; did you mean 'lea"),
        ("data.protocl=5deg", "unknown key 'data.protocl'; did you mean 'protocol'?"),
        ("phases.0.crp=64", "unknown key 'phases.0.crp'; did you mean 'crop'?"),
        ("phases.3.crop=64", "phases has the entries 0 to 0"),
        ("network=huge", "unknown network 'huge'; known are nano, tiny, small"),
        ("network.splt=half", "'splt'"),
        ("network.split=quarter", "split must be one of"),
        ("average=2", "average: input should be less than 1, not 2"),
        ("precision=bf16", "precision: input should be"),
        ("phases=[]", "phases must start at 0"),
        ("phases=[{start: 0.5}]", "phases must start at 0"),
        ("data.source=cloud", "'cloud'"),
        ("epochs=15", "warm_up_epochs must be less than epochs, and 15 is not"),
        ("warm_up_share=1", "warm_up_share: input should be less than 1"),
        ("seed", "'seed' is no override; write key=value"),
        ("data={source: folder}", "have no epochs"),
    ],
)
def test_what_is_wrong_is_one_sentence(override, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        read_config("3deg", [override])
    assert "\n" not in str(caught.value)


def test_length_is_given_once():
    with pytest.raises(ValueError, match="one of epochs, steps and minutes"):
        TrainingConfig(steps=3, epochs=1.0)
    with pytest.raises(ValueError, match="none of them"):
        TrainingConfig()


def test_another_length_or_source_replaces_the_recipes():
    config = read_config("folder", minutes=3.0)
    assert config.minutes == 3
    config = read_config("3deg", ["steps=100", "warm_up_steps=10"])
    assert (config.epochs, config.steps, config.warm_up_epochs) == (None, 100, 0)
    config = read_config("3deg", ["data={source: pairs, clean: sharp}"])
    assert config.data.clean == "sharp"


def test_overrides_reach_deep_and_leave_the_rest():
    config = read_config(
        "bundled-tiny", ["phases.1.batch=32", "optimiser.learning_rate=1e-4", "network.dim=16"]
    )
    assert [p.batch for p in config.phases] == [48, 32]
    assert config.optimiser.learning_rate == 1e-4
    assert config.optimiser.clip == 1.0
    assert config.network_config.dim == 16
    assert config.network_config.blocks == VARIANTS["tiny"].blocks
    assert change_config(config, ["seed=7"]).phases == config.phases


def test_files_build_on_recipes(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: 5deg\nphases: [{crop: 64, batch: 8}]\n")
    config = read_config(path)
    assert (config.name, config.data.protocol, config.phases[0].crop) == ("mine", "5deg", 64)
    path.write_text("base: 6deg\n")
    with pytest.raises(ValueError, match="base must be one of"):
        read_config(path)
    path.write_text("a: [")
    with pytest.raises(ValueError, match="not a YAML file"):
        read_config(path)
    path.write_text("- 1\n")
    with pytest.raises(ValueError, match="keys and values"):
        read_config(path)
    with pytest.raises(FileNotFoundError, match="no configuration 'absent"):
        read_config("absent.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "network: {variant: nano, blocks: [.inf, 1, 1, 1]}\nsteps: 1\n",
        "network: {variant: nano, blocks: [[1], 1, 1, 1]}\nsteps: 1\n",
        "network: {variant: [1]}\nsteps: 1\n",
        "network: {dim: 8, blocks: 5, refinement: 1}\nsteps: 1\n",
        "network: {variant: nano, gate_fractions: [a, b, c]}\nsteps: 1\n",
        "network: {variant: nano, dim: null}\nsteps: 1\n",
        "network: {variant: nano, 5: 6, x: 7}\nsteps: 1\n",
        "network: {variant: nano, dim: " + "9" * 5000 + "}\nsteps: 1\n",
        "steps: .nan\n",
        "phases: 5\nsteps: 1\n",
        "? [1, 2]\n: 3\n",
        "\x00",
        "5: 6\n",
        "name: ../../evil\nsteps: 1\n",
        "name: /tmp/evil\nsteps: 1\n",
        "name: ''\nsteps: 1\n",
        "name: ..\nsteps: 1\n",
        "name: 'a\\b'\nsteps: 1\n",
        "name: [a]\nsteps: 1\n",
        "base: ../x\n",
    ],
    ids=lambda text: text[:40],
)
def test_what_somebody_may_send_is_one_sentence(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - each says its own
        read_config(path)
    assert not isinstance(caught.value, UnicodeError)
    assert len(str(caught.value)) < 1000
