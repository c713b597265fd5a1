"""Lazy arrays that are read twice: for the mapping first, and then to be restored.

Under its own name a block would be held from the first reading to the second, all of them together
as large as the array. Under another name each block is read, let go, and read again.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import dask.array as da
from dask.base import clone_key
from dask.graph_manipulation import clone
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

__all__ = ["read_again"]


def read_again(image: da.Array, seed: str) -> da.Array:
    """Give the same array under other names, so that all of it is computed anew.

    Parameters
    ----------
    image : dask.array.Array
        Any.
    seed : str
        What the names are made from: the same for the same seed.

    Returns
    -------
    dask.array.Array
        The same values.

    Examples
    --------
    >>> lazy = da.arange(6, chunks=2)[1:]
    >>> again = read_again(lazy, "second")
    >>> again.compute().tolist(), again.name == lazy.name
    ([1, 2, 3, 4, 5], False)
    """
    graph = image.__dask_graph__()
    if not isinstance(graph, HighLevelGraph):
        graph = HighLevelGraph.from_collections(image.name, graph, ())
    layers = {
        name: _Layer(dict(layer)) if type(layer) is MaterializedLayer else layer
        for name, layer in graph.layers.items()
    }
    graph = HighLevelGraph(layers, graph.dependencies)
    renamed: da.Array = clone(
        da.Array(graph, image.name, image.chunks, meta=image._meta), seed=seed
    )
    return renamed


class _Layer(MaterializedLayer):
    """Tasks that are renamed with all they refer to.

    Since dask has classes for tasks, its own layers rename the tasks and not what these refer to,
    and slices, stacks and arrays cut into other chunks cannot be computed any more.
    """

    def clone(
        self, keys: set[Any], seed: Hashable, bind_to: Any = None
    ) -> tuple[MaterializedLayer, bool]:
        tasks, older = {}, {}
        for key, task in self.items():
            # What workers of a cluster hold already has no dependencies, and dask names it rightly.
            if key in keys and hasattr(task, "dependencies"):
                referred = {*task.dependencies, key} & keys
                names = {old: clone_key(old, seed) for old in referred}
                tasks[names[key]] = task.substitute(names, key=names[key])
            else:
                older[key] = task
        layer, bound = MaterializedLayer(older).clone(keys, seed, bind_to)
        return MaterializedLayer({**tasks, **dict(layer)}), bound
