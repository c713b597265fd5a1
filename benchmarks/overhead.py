"""What taps cost where none are used: ``python -m benchmarks.overhead`` prints a table.

By reasoning: a block asks once per part whether it has an observer, ``if observer is None``; that
is some ten comparisons of a pointer per block, microseconds beside the milliseconds of a block.
`restore` takes the path in strips, which has no observer at all; only interventions leave it.

By measuring, with random weights, medians of rounds in which all ways take turns, in seconds of the
processor, which a busy machine changes less than those of the clock:

- *bare*: the network with every question after an observer taken out of its blocks' source, which
  is the network as it would be without taps;
- *no taps*: the network as it is;
- *restore*: `napari_anyir.restore` without interventions, and *restore, none*: with an empty list
  of them, which must be the same path;
- *all taps*: every part of every block looked at and passed on, for comparison.
"""

from __future__ import annotations

import argparse
import ast
import copy
import inspect
import statistics
import sys
import time
import types
from collections.abc import Callable

import torch
from torch import Tensor

from napari_anyir.inference import restore
from napari_anyir.model import AnyIR, blocks, build_model, network


class _Untapped(ast.NodeTransformer):
    """Takes ``_show(observer, part, x)`` for ``x``, and the branch for no observer."""

    def __init__(self) -> None:
        self.taken = 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "_show":
            self.taken += 1
            return node.args[2]
        return node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        self.generic_visit(node)
        asked = ast.unparse(node.test)
        if asked == "observer is None":
            self.taken += 1
            return node.body
        if asked == "observer is not None":
            self.taken += 1
            return node.orelse or None
        return node


def without_taps(tapped: AnyIR) -> tuple[AnyIR, int]:
    """Return a copy of a network whose source does not know of observers.

    Parameters
    ----------
    tapped : AnyIR
        The network.

    Returns
    -------
    AnyIR
        Of the same weights; it computes the same.
    int
        How many questions and calls were taken out of the source.
    """
    copied = copy.deepcopy(tapped)
    classes: dict[str, type] = {}
    taken = 0
    for module in (blocks, network):
        remover = _Untapped()
        tree = remover.visit(ast.parse(inspect.getsource(module)))
        taken += remover.taken
        names = {"__name__": f"{module.__name__}_untapped"}
        fresh = types.ModuleType(names["__name__"])
        sys.modules[fresh.__name__] = fresh
        exec(compile(ast.fix_missing_locations(tree), str(module.__file__), "exec"), vars(fresh))
        classes |= {
            name: kind
            for name, kind in vars(fresh).items()
            if isinstance(kind, type) and kind.__module__ == fresh.__name__
        }
    for part in copied.modules():
        if type(part).__module__ in (blocks.__name__, network.__name__):
            part.__class__ = classes[type(part).__name__]
    return copied, taken


def measure(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time all ways in turns, in another order each time, so that all meet the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.process_time()
            ways[name]()
            if number:  # the first round warms up
                seconds[name].append(time.process_time() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="nano")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    tapped = build_model(options.variant).eval().requires_grad_(False)
    bare, taken = without_taps(tapped)
    x = torch.rand(1, 3, options.size, options.size)
    image = (x[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()

    def forward(
        model: AnyIR, observer: Callable[[str, str, Tensor], Tensor] | None = None
    ) -> Tensor:
        with torch.inference_mode():
            return model(x, observer)

    if not torch.equal(forward(bare), forward(tapped)):
        raise SystemExit(
            "The network without taps computes something else; the ratio would say nothing."
        )
    seconds = measure(
        {
            "bare": lambda: forward(bare),
            "no taps": lambda: forward(tapped),
            "all taps": lambda: forward(tapped, lambda block, part, tensor: tensor),
            "restore": lambda: restore(image, model=tapped, device="cpu"),
            "restore, none": lambda: restore(image, model=tapped, device="cpu", interventions=[]),
        },
        options.rounds,
    )
    against = {"no taps": "bare", "all taps": "bare", "restore, none": "restore"}
    print(
        f"{options.variant}, {options.size} x {options.size}, {options.threads} thread(s), "
        f"medians of {options.rounds} rounds; {taken} places of the source know of observers\n"
    )
    print("| way | processor seconds | ratio | against |\n|---|---|---|---|")
    for name, found in seconds.items():
        base = against.get(name)
        # Of ratios within one round, so that a busy moment meets both.
        ratio = (
            statistics.median(one / other for one, other in zip(found, seconds[base], strict=True))
            if base
            else 1.0
        )
        print(f"| {name} | {statistics.median(found):.3f} | {ratio:.3f} | {base or '-'} |")


if __name__ == "__main__":
    main()
