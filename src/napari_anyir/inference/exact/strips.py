"""The whole network in strips of windows: the numbers of the whole image in bounded memory.

Nothing is approximated. What looks at all pixels are sums, and they are gathered in a first pass;
see `napari_anyir.inference.exact.fast_dab`. Each level holds one feature map, worked on in place;
see `napari_anyir.inference.exact.maps`. Everything else lives in a few megabytes for each worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anyir.inference.exact.allocator import settle_allocator
from napari_anyir.inference.exact.dab_sums import Settled, Sums
from napari_anyir.inference.exact.fast_dab import PreparedDAB
from napari_anyir.inference.exact.maps import Maps, level_shapes
from napari_anyir.inference.exact.scratch import Scratch
from napari_anyir.inference.exact.windows import Window, fill_window
from napari_anyir.inference.exact.workers import MOST_WORKERS, WorkerPool
from napari_anyir.model import AnyIR, pad_to_multiple
from napari_anyir.model.config import LEVELS
from napari_anyir.progress import Cancel, Progress, Watch

_BEHIND = 3  # bands: a window is measured when its own band and its neighbours are written
_QUARTERS = [
    (slice(None), slice(row, None, 2), slice(column, None, 2))
    for row in (0, 1)
    for column in (0, 1)
]
"""Pixels of a map that go to each of the four planes of half its size, in their order."""
_SMALL_IMAGE = 256 * 256  # pixels up to which a worker takes a whole image of a batch


_Task = Callable[[Window, Scratch], None]
_Item = tuple[int, Window, _Task]


class StripNetwork:
    """A network with weights arranged for strips.

    Parameters
    ----------
    model : AnyIR
        Only read; taken as in evaluation mode.
    device : torch.device
        Where to compute.
    features : torch.dtype
        In which feature maps are kept between passes. The arithmetic is in float32.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.exact.strips import StripNetwork
    >>> from napari_anyir.model import build_model
    >>> network = build_model("nano").eval()
    >>> image = torch.rand(1, 3, 50, 41)
    >>> with torch.inference_mode():
    ...     whole = network(image)
    >>> bool((StripNetwork(network)(image) - whole).abs().max() < 1e-5)
    True
    """

    def __init__(
        self,
        model: AnyIR,
        device: torch.device | None = None,
        features: torch.dtype = torch.float32,
    ) -> None:
        self.config = model.config
        self.device = torch.device("cpu") if device is None else device
        self.features = features
        with torch.inference_mode():
            self.stages = {
                stage.name: [PreparedDAB(dab, self.device) for dab in getattr(model, stage.name)]
                for stage in model.config.stages()
            }

            def weight(name: str) -> Tensor:
                tensor = model.get_parameter(f"{name}.weight").detach()
                tensor = tensor.to(self.device, torch.float32, copy=True)
                # In this layout a convolution on few channels takes two thirds of the time.
                return tensor.contiguous(memory_format=torch.channels_last)

            self.embed = weight("embed")
            self.output = weight("output").permute(2, 3, 0, 1).contiguous()  # (3, 3, out, in)
            self.down = [weight(f"down{level}") for level in (1, 2, 3)]
            latent = weight("reduce_latent").flatten(1)
            self.up1 = _WayUp(weight("up1"))
            self.up2 = _WayUp(weight("up2"), weight("reduce2").flatten(1))
            self.up3 = _WayUp(weight("up3"), weight("reduce3").flatten(1), latent)

    # ------------------------------------------------------------------ running

    def __call__(
        self,
        images: Tensor,
        *,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Tensor:
        """Restore images.

        Parameters
        ----------
        images : Tensor
            (B, 3, H, W), float32.
        progress : callable, optional
            ``progress(done, total)`` in windows, called by this thread.
        cancel : Cancel, optional
            Looked at before each window.

        Returns
        -------
        Tensor
            (B, 3, H, W), float32, on the device of ``images``, not clipped.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true.
        """
        batch, _, height, width = images.shape
        workers = 1
        if self.device.type == "cpu":
            workers = min(torch.get_num_threads(), MOST_WORKERS)
            settle_allocator()
        with torch.inference_mode(), WorkerPool(self.device, workers) as pool:
            restored = torch.empty(images.shape, dtype=torch.float32, device=images.device)
            # Each worker a whole image: nobody waits for anybody.
            alone = workers > 1 and batch > 1 and height * width <= _SMALL_IMAGE
            each = batch if alone else self._steps(height, width)
            watch = Watch(each if alone else each * batch, progress, cancel)
            if alone:

                def restore(index: int, scratch: Scratch) -> None:
                    single = WorkerPool(self.device, 1)
                    single.scratches = [scratch]
                    quiet = Watch(0, None, cancel)
                    self._restore(images[index], restored[index], single, quiet)

                pool.each(range(batch), restore, watch)
            else:
                for index in range(batch):
                    self._restore(images[index], restored[index], pool, watch)
        return restored

    def _steps(self, height: int, width: int) -> int:
        """Number of windows of all passes."""
        shapes = level_shapes(self.config, *self.config.padded_size(height, width))
        windows = [
            len(Maps(0, rows, columns, side=side, device=self.device, dtype=self.features).windows)
            for _, rows, columns, side in shapes
        ]
        blocks = [
            sum(stage.count for stage in self.config.stages() if stage.level == level)
            for level in range(LEVELS)
        ]
        # A convolution is counted where it reads: embed, down, up and output.
        convolutions = (3, 2, 2, 1)
        return sum(
            count * (2 * block + convolution)
            for count, block, convolution in zip(windows, blocks, convolutions, strict=True)
        )

    def _restore(self, image: Tensor, restored: Tensor, pool: WorkerPool, watch: Watch) -> None:
        """Restore one image (3, H, W)."""
        padded = pad_to_multiple(image[None], self.config.size_multiple)[0].to(self.device)
        maps = [
            Maps(channels, rows, columns, side=side, device=self.device, dtype=self.features)
            for channels, rows, columns, side in level_shapes(self.config, *padded.shape[1:])
        ]
        level1, level2, level3, latent = maps
        skip = self.config.channels[0]  # planes of level 1 from here on are the encoder's

        def convolve(level: Maps, task: _Task) -> None:
            _do(_items(task, level.windows), pool, watch)

        stem = self.config.stem
        entering = F.pixel_unshuffle(padded, stem) if stem > 1 else padded
        convolve(level1, lambda w, s: _embed(entering, level1.planes(skip), self.embed, w, s))
        self._blocks("encoder1", level1, pool, watch, skip)
        convolve(level1, lambda w, s: _down(level1.planes(skip), level2, self.down[0], w, s))
        self._blocks("encoder2", level2, pool, watch)
        convolve(level2, lambda w, s: _down(level2.planes(), level3, self.down[1], w, s))
        self._blocks("encoder3", level3, pool, watch)
        convolve(level3, lambda w, s: _down(level3.planes(), latent, self.down[2], w, s))
        self._blocks("latent", latent, pool, watch)
        convolve(latent, lambda w, s: _up(latent, level3, self.up3, w, s))
        self._blocks("decoder3", level3, pool, watch)
        convolve(level3, lambda w, s: _up(level3, level2, self.up2, w, s))
        self._blocks("decoder2", level2, pool, watch)
        convolve(level2, lambda w, s: _up(level2, level1, self.up1, w, s))
        self._blocks("decoder1", level1, pool, watch)
        self._blocks("refinement", level1, pool, watch)

        def finish(window: Window, scratch: Scratch) -> None:
            y = _to_few(level1.planes(), self.output, window, scratch)
            if stem > 1:
                change = scratch.take("shuffled", 3, stem * window.height, stem * window.width)
                _shuffle(y, change)
                y = change
            place = _scaled(window, up=stem)
            y.add_(padded[place])
            # The padding is cut off.
            target = restored[place]
            target.copy_(y[:, : target.shape[1], : target.shape[2]])

        convolve(level1, finish)

    def _blocks(
        self, stage: str, level: Maps, pool: WorkerPool, watch: Watch, first: int = 0
    ) -> None:
        """Run the blocks of a stage on the planes from ``first`` on.

        What a block writes is measured for the next one while it still writes elsewhere: so the
        workers wait for each other once in a block, for the sums, and not twice.
        """
        blocks = self.stages[stage]
        if not blocks:
            return
        numbered = {id(window): index for index, window in enumerate(level.windows)}
        # One piece for all blocks, because it is large. Where the next block's norms are written,
        # those of this one are not read any more.
        norms = pool.scratches[0].take("kept norms", 4, level.height, level.width)

        def measuring(block: PreparedDAB, source: Tensor, sums: Sums) -> _Task:
            return lambda w, s: block.measure(source, w, numbered[id(w)], sums, s)

        def applying(block: PreparedDAB, source: Tensor, target: Tensor, settled: Settled) -> _Task:
            return lambda w, s: block.apply(source, target, w, settled, s)

        sums = pool.ask(blocks[0].new_sums, len(level.windows), norms)
        _do(_items(measuring(blocks[0], level.planes(first), sums), level.windows), pool, watch)
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            settled = pool.ask(block.settle, sums)
            source, target = level.planes(first), level.other_end(first)
            windows, bands = level.order()
            items = _items(applying(block, source, target, settled), windows, bands)
            if following is not None:
                sums = pool.ask(following.new_sums, len(windows), norms)
                later = [band + _BEHIND for band in bands]
                items += _items(measuring(following, target, sums), windows, later)
            _do(items, pool, watch)
            level.swap()


def _items(
    task: _Task, windows: Sequence[Window], bands: Sequence[int] | None = None
) -> list[_Item]:
    """Return a task for each window, with the band in which it comes; by default all in one."""
    bands = [0] * len(windows) if bands is None else bands
    return [(band, window, task) for band, window in zip(bands, windows, strict=True)]


def _do(items: list[_Item], pool: WorkerPool, watch: Watch) -> None:
    """Do tasks, band after band, in one pass."""
    items = sorted(items, key=lambda item: item[0])

    def one(item: _Item, scratch: Scratch) -> None:
        _, window, task = item
        task(window, scratch)

    # Where windows lie from left, 0, to right, 1.
    sides = [(window.left + window.width / 2) / window.image_width for _, window, _ in items]
    pool.each(items, one, watch, [band for band, _, _ in items], sides)


def _place(window: Window) -> tuple[slice, slice, slice]:
    return (
        slice(None),
        slice(window.top, window.top + window.height),
        slice(window.left, window.left + window.width),
    )


def _scaled(window: Window, up: int = 1, down: int = 1) -> tuple[slice, slice, slice]:
    top, left = window.top * up // down, window.left * up // down
    return (
        slice(None),
        slice(top, top + window.height * up // down),
        slice(left, left + window.width * up // down),
    )


def _around(source: Tensor, window: Window, scratch: Scratch) -> Tensor:
    """Copy a window and 1 pixel around it, to (C, height + 2, width + 2)."""
    x = scratch.take("x", source.shape[0], window.height + 2, window.width + 2)
    fill_window(x, source, window, 1)
    return x


def _convolve(source: Tensor, weight: Tensor, window: Window, scratch: Scratch) -> Tensor:
    """Convolve a window of (C, H, W) with a 3x3 kernel, to (C', height, width)."""
    return F.conv2d(_around(source, window, scratch)[None], weight)[0]


def _to_few(source: Tensor, weight: Tensor, window: Window, scratch: Scratch) -> Tensor:
    """Convolve as `_convolve` does, to few channels, with a kernel (3, 3, C', C).

    One product gives what each pixel adds to its nine neighbours, three times as fast.
    """
    x = _around(source, window, scratch)
    _, rows, columns = x.shape
    few = weight.shape[2]
    added = scratch.take("mixed", 9 * few, rows * columns)
    torch.mm(weight.view(9 * few, -1), x.flatten(1), out=added)
    parts = added.view(3, 3, few, rows, columns)
    y = scratch.take("few", few, window.height, window.width).zero_()
    for row in range(3):
        for column in range(3):
            y += parts[row, column, :, row : row + window.height, column : column + window.width]
    return y


def _shuffle(y: Tensor, target: Tensor) -> None:
    """Write (4 C, height, width) to (C, 2 height, 2 width): pixel shuffle, long rows at a time."""
    for quarter, place in enumerate(_QUARTERS):
        target[place] = y[quarter::4]


def _embed(image: Tensor, target: Tensor, weight: Tensor, window: Window, scratch: Scratch) -> None:
    target[_place(window)] = _convolve(image, weight, window, scratch)


def _down(source: Tensor, below: Maps, weight: Tensor, window: Window, scratch: Scratch) -> None:
    """Convolve and halve the size (pixel unshuffle)."""
    y = _convolve(source, weight, window, scratch)
    quarters = below.planes()[_scaled(window, down=2)].unflatten(0, (-1, 4))
    for quarter, place in enumerate(_QUARTERS):
        quarters[:, quarter] = y[place]


@dataclass(frozen=True)
class _WayUp:
    """Weights between a level and the one above: a 3x3 convolution, and 1x1 ones around it.

    ``reduce`` (out, up + skip) projects the concatenation; ``before`` (out, in) stands in front.
    """

    weight: Tensor
    reduce: Tensor | None = None
    before: Tensor | None = None


def _up(
    source: Maps,
    above: Maps,
    way: _WayUp,
    window: Window,
    scratch: Scratch,
) -> None:
    """Convolve, double the size (pixel shuffle), and join the encoder's features.

    Where the concatenation is projected, it is onto the skip's own memory; a pixel needs itself
    only.
    """
    weight, reduce, before = way.weight, way.reduce, way.before
    planes = source.planes()
    if before is None:
        y = _convolve(planes, weight, window, scratch)
    else:
        x = _around(planes, window, scratch)
        _, rows, columns = x.shape
        reduced = scratch.take("hidden", before.shape[0], rows * columns)
        torch.mm(before, x.flatten(1), out=reduced)
        y = F.conv2d(reduced.view(1, -1, rows, columns), weight)[0]
    place = _scaled(window, up=2)
    width = y.shape[0] // 4
    if reduce is None:
        _shuffle(y, above.planes()[:width][place])
        return
    shuffled = scratch.take("shuffled", width, 2 * window.height, 2 * window.width)
    _shuffle(y, shuffled)
    target = above.planes()[place]
    channels, area = target.shape[0], target.shape[1] * target.shape[2]
    skip = scratch.take("normalised", channels, area)
    skip.view(target.shape).copy_(target)
    joined = scratch.take("mixed", channels, area)
    split = reduce.shape[1] - channels
    torch.mm(reduce[:, :split], shuffled.flatten(1), out=joined)
    joined.addmm_(reduce[:, split:], skip)
    target.copy_(joined.view(target.shape))
