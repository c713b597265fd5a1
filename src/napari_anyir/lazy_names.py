"""Doors of rooms that open late: a package's names are imported when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def names_from(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Make the ``__getattr__`` of a package (PEP 562).

    Parameters
    ----------
    package : str
        Its ``__name__``.
    modules : mapping of str to str
        Which of its modules each name stands in.

    Returns
    -------
    callable
        To be called ``__getattr__`` in the package.

    Examples
    --------
    >>> look_up = names_from("napari_anyir.model", {"AnyIRConfig": "config"})
    >>> look_up("AnyIRConfig").__name__
    'AnyIRConfig'
    >>> look_up("AnyIRConfg")
    Traceback (most recent call last):
    ...
    AttributeError: module 'napari_anyir.model' has no attribute 'AnyIRConfg'
    """

    def look_up(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)  # the next look-up no longer comes here
        return value

    return look_up
