"""What was chosen last time: in napari's own plugin settings where it has them, else in a file.

Since 0.9 napari shows the ``configurations`` of the manifest in its preferences and keeps them;
older versions pass over them, and a JSON file beside napari's settings does the same work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_anyir.atomic_writing import write_json
from napari_anyir.places import user_config

PLUGIN = "napari-anyir"


def load(section: str) -> dict[str, Any]:
    """Read what was remembered.

    Parameters
    ----------
    section : str
        A key of ``configurations`` in the manifest, such as ``"restore"``.

    Returns
    -------
    dict
        Name to value; empty if nothing can be read, which is no reason to stop anyone.
    """
    napari_has = _napari_section(section)
    if napari_has is not None:
        return {name: getattr(napari_has, name) for name in type(napari_has).model_fields}
    try:
        path = _file()
        values = json.loads(path.read_text(encoding="utf-8"))[section] if path else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(values) if isinstance(values, dict) else {}


def save(section: str, values: Mapping[str, Any]) -> None:
    """Remember; a folder that cannot be written to is no reason to stop anyone.

    Parameters
    ----------
    section : str
        As for `load`.
    values : mapping
        Name to text, number or truth value.
    """
    napari_has = _napari_section(section)
    if napari_has is not None:
        for name, value in values.items():
            if name in type(napari_has).model_fields:
                with suppress(OSError, ValueError):  # napari writes its settings at once
                    setattr(napari_has, name, value)
        return
    if (path := _file()) is None:
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    before = known.get(section)
    known[section] = {**(before if isinstance(before, dict) else {}), **values}
    with suppress(OSError):
        write_json(path, known)


def beside(name: str) -> Path | None:
    """Find the place of another file that the widgets keep.

    Parameters
    ----------
    name : str
        What it holds, such as ``"speeds"``.

    Returns
    -------
    Path or None
        Beside napari's own settings; it need not exist. None where there is no home.

    Examples
    --------
    >>> path = beside("speeds")
    >>> path is None or path.name
    'napari-anyir-speeds.json'
    """
    path = _file()
    return None if path is None else path.with_name(f"{PLUGIN}-{name}.json")


def _napari_section(section: str) -> Any:
    """Find napari's settings of this plugin; None where napari has none."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # napari before 0.9
        return None
    try:
        return getattr(get_plugin_settings(PLUGIN), section, None)
    except KeyError:  # the plugin is disabled, or was installed while napari was running
        return None
    except (OSError, RuntimeError, ValueError):  # no home, another user's, broken settings
        return None


def _file() -> Path | None:
    try:
        from napari.settings import get_settings

        settings = get_settings().config_path
    except (OSError, RuntimeError, KeyError, ValueError):
        settings = None
    # Without a settings file napari keeps nothing, and the folder of the user's data will do.
    if settings is None:
        folder = user_config(PLUGIN)
        return None if folder is None else folder / "widgets.json"
    return Path(settings).parent / f"{PLUGIN}.json"
