"""The ready configurations by name: nothing heavy is imported, so that a list comes at once."""

from __future__ import annotations

from pathlib import Path

RECIPES = Path(__file__).parent / "recipes"
"""Ready configurations, which can be named without their path."""


def list_recipes() -> list[str]:
    """Name the configurations that come with the package.

    Examples
    --------
    >>> from napari_anyir.training.recipe_names import list_recipes
    >>> "3deg" in list_recipes()
    True
    """
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def describe_recipe(name: str) -> str:
    """Say what a recipe trains: the comment in its first line.

    Parameters
    ----------
    name : str
        One of `list_recipes`.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> from napari_anyir.training.recipe_names import describe_recipe
    >>> describe_recipe("dehaze")
    'One task alone: dehaze.'
    """
    return (RECIPES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
