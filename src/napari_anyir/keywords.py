"""Keywords that are handed on as a whole: what is not among them is refused, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check_keywords(function: str, given: Mapping[str, Any], known: type[Any]) -> None:
    """Refuse a keyword that a function does not take.

    Parameters
    ----------
    function : str
        Its name.
    given : mapping
        The keywords that it was called with.
    known : TypedDict
        Those that it takes.

    Raises
    ------
    TypeError
        As Python says it for any other function.

    Examples
    --------
    >>> from typing import TypedDict
    >>> from napari_anyir.keywords import check_keywords
    >>> class Options(TypedDict, total=False):
    ...     axes: str
    >>> check_keywords("look", {"axes": "YX"}, Options)
    >>> check_keywords("look", {"axis": "YX"}, Options)
    Traceback (most recent call last):
    ...
    TypeError: look() got an unexpected keyword argument 'axis'; it takes axes
    """
    for name in given:
        if name not in known.__annotations__:
            raise TypeError(
                f"{function}() got an unexpected keyword argument {name!r}; it takes "
                f"{', '.join(known.__annotations__)}"
            )
