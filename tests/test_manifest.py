"""What napari reads: every entry leads somewhere, which ``npe2 validate`` does not look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from npe2 import PluginManifest
from npe2.manifest.utils import import_python_name

import napari_anyir
from napari_anyir.samples import SAMPLES

# The menus that napari lets plugins add to; napari drops entries in any other without a word.
MENUS = {
    "napari/file/acquire",
    "napari/file/io_utilities",
    "napari/file/new_layer",
    "napari/layers/annotate",
    "napari/layers/classify",
    "napari/layers/data",
    "napari/layers/filter",
    "napari/layers/layer_type",
    "napari/layers/measure",
    "napari/layers/metadata",
    "napari/layers/project",
    "napari/layers/register",
    "napari/layers/segment",
    "napari/layers/track",
    "napari/layers/transform",
    "napari/layers/visualize",
}


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(Path(napari_anyir.__file__).parent / "napari.yaml")


@pytest.mark.qt
def test_it_is_valid_and_named(manifest: PluginManifest) -> None:
    manifest.validate_imports()
    assert manifest.name == "napari-anyir"
    assert manifest.display_name == "AnyIR"  # docks cut longer titles


@pytest.mark.qt
def test_commands_lead_to_callables(manifest: PluginManifest) -> None:
    for command in manifest.contributions.commands:
        assert command.id.startswith("napari-anyir.")
        assert callable(import_python_name(command.python_name)), command.id


def test_command_ids_are_unique(manifest: PluginManifest) -> None:
    ids = [command.id for command in manifest.contributions.commands]
    assert len(ids) == len(set(ids))


@pytest.mark.qt
def test_menus_are_known_to_napari_and_open(manifest: PluginManifest) -> None:
    from napari._app_model.constants._menus import MenuId

    menus = set(manifest.contributions.menus)
    assert menus
    assert menus <= MENUS
    assert menus <= {str(menu) for menu in MenuId.contributables()}


def test_menu_items_name_a_command(manifest: PluginManifest) -> None:
    ids = {command.id for command in manifest.contributions.commands}
    for menu, items in manifest.contributions.menus.items():
        assert items, menu
        for item in items:
            assert item.command in ids, (menu, item)


def test_widgets_name_a_command_and_stand_in_a_layers_menu(manifest: PluginManifest) -> None:
    commands = {command.id: command for command in manifest.contributions.commands}
    listed = {item.command for items in manifest.contributions.menus.values() for item in items}
    for widget in manifest.contributions.widgets:
        assert widget.command in commands
        assert commands[widget.command].title == widget.display_name
        assert widget.command in listed


def test_what_people_look_for_is_found(manifest: PluginManifest) -> None:
    titles = " ".join(command.title.lower() for command in manifest.contributions.commands)
    words = ("denoise", "deblur", "dehaze", "derain", "low light")
    assert [word for word in words if word not in titles] == []


def test_everyday_work_comes_before_research(manifest: PluginManifest) -> None:
    everyday = {"restore", "compare", "folder", "learn"}
    for items in manifest.contributions.menus.values():
        for item in items:
            daily = item.command.removeprefix("napari-anyir.") in everyday
            assert item.group == ("1_everyday" if daily else "2_research")
    order = [w.command.removeprefix("napari-anyir.") for w in manifest.contributions.widgets]
    daily = [name in everyday for name in order]
    assert daily == sorted(daily, reverse=True)


def test_every_sample_is_in_the_file_menu(manifest: PluginManifest) -> None:
    shown = {sample.key: sample.display_name for sample in manifest.contributions.sample_data}
    assert shown == {key: sample.title for key, sample in SAMPLES.items()}


@pytest.mark.qt
@pytest.mark.parametrize("key", sorted(SAMPLES))
def test_samples_open(manifest: PluginManifest, key: str) -> None:
    from napari.layers import Layer

    sample = next(item for item in manifest.contributions.sample_data if item.key == key)
    command = next(item for item in manifest.contributions.commands if item.id == sample.command)
    for data in import_python_name(command.python_name)():
        layer = Layer.create(*data)
        assert layer.name.startswith(key)


def test_reading_the_manifest_imports_nothing_heavy(run_python) -> None:
    code = (
        "import sys; from npe2 import PluginManifest; "
        "PluginManifest.from_distribution('napari-anyir'); import napari_anyir; "
        "print(sorted({'torch', 'qtpy', 'napari', 'PyQt6', 'PySide6'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


@pytest.mark.slow
@pytest.mark.qt
def test_opening_a_widget_imports_no_torch(run_python) -> None:
    code = (
        "import sys; import napari_anyir.widgets.restore.restore_widget; "
        "print(sorted({'torch'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


@pytest.mark.qt
def test_napari_takes_every_preference(manifest: PluginManifest) -> None:
    """Some names of properties end napari's reading of all preferences: those of its events."""
    from napari.utils.events import EmitterGroup

    taken = set(dir(EmitterGroup()))
    for section in manifest.contributions.configurations.values():
        assert not set(section.properties) & taken, section.title
