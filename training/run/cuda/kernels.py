"""Convolutions for training on a CUDA card, as Triton kernels with their gradients.

Depthwise and pointwise convolutions of few channels move many bytes for little arithmetic.
Libraries that are quick at dense ones are slow at them in half precision: at the gradient of
depthwise weights, and at widths that are no multiple of eight. Here each channel plane is read
where it lies, sums are kept in float32, and the gate of the feed-forward network is applied before
anything is written (Eq. 8 of the paper).

Images are (B, C, H, W) with contiguous planes, of any floating type; weights are float32.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_PIXELS = 1024
"""Pixels of a tile: eight per thread, which keeps enough loads in flight."""
_TAP_PIXELS = 128
"""Pixels of a tile for the gradient of the weights, where each pixel has a sum per tap."""
_PROGRAMS = 4096
"""Programs that share the sums over pixels; several for each multiprocessor."""


@triton.jit
def _tap_sum(
    plane,
    weights,
    rows,
    columns,
    height,
    width,
    SIZE: tl.constexpr,
    FLIP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Filter one tile of one plane; zeros lie beyond the border."""
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for tap in tl.static_range(SIZE * SIZE):
        y = rows + (tap // SIZE - SIZE // 2)
        x = columns + (tap % SIZE - SIZE // 2)
        inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None, :]
        value = tl.load(plane + y[:, None] * width + x[None, :], mask=inside, other=0.0)
        weight = tl.load(weights + (SIZE * SIZE - 1 - tap if FLIP else tap))
        total += weight * value.to(tl.float32)
    return total


@triton.jit
def _place(height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr, tile):
    """Rows and columns of a tile, and which of them exist."""
    across = tl.cdiv(width, COLUMNS)
    rows = (tile // across) * ROWS + tl.arange(0, ROWS)
    columns = (tile % across) * COLUMNS + tl.arange(0, COLUMNS)
    there = (rows < height)[:, None] & (columns < width)[None, :]
    return rows, columns, there


@triton.jit
def _gelu(x):
    """Return GELU and its derivative."""
    below = 0.5 * (1.0 + tl.math.erf(x * 0.7071067811865476))
    return x * below, below + x * tl.exp(-0.5 * x * x) * 0.3989422804014327


@triton.jit
def _filter_kernel(
    images,
    weights,
    out,
    channels,
    height,
    width,
    image_stride,
    out_stride,
    SIZE: tl.constexpr,
    FLIP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    image, channel = tl.program_id(0) // channels, tl.program_id(0) % channels
    rows, columns, there = _place(height, width, ROWS, COLUMNS, tl.program_id(1))
    plane = images + image.to(tl.int64) * image_stride + channel * height * width
    total = _tap_sum(
        plane,
        weights + channel * SIZE * SIZE,
        rows,
        columns,
        height,
        width,
        SIZE,
        FLIP,
        ROWS,
        COLUMNS,
    )
    target = out + image.to(tl.int64) * out_stride + channel * height * width
    tl.store(target + rows[:, None] * width + columns[None, :], total, mask=there)


@triton.jit
def _gate_kernel(
    images,
    weights,
    gradient,
    out,
    half,
    height,
    width,
    image_stride,
    gradient_stride,
    out_stride,
    BACKWARD: tl.constexpr,
    SIZE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    image, channel = tl.program_id(0) // half, tl.program_id(0) % half
    rows, columns, there = _place(height, width, ROWS, COLUMNS, tl.program_id(1))
    step = half * height * width
    plane = images + image.to(tl.int64) * image_stride + channel * height * width
    own = weights + channel * SIZE * SIZE
    gate = _tap_sum(plane, own, rows, columns, height, width, SIZE, False, ROWS, COLUMNS)
    value = _tap_sum(
        plane + step,
        own + half * SIZE * SIZE,
        rows,
        columns,
        height,
        width,
        SIZE,
        False,
        ROWS,
        COLUMNS,
    )
    active, slope = _gelu(gate)
    place = channel * height * width + rows[:, None] * width + columns[None, :]
    target = out + image.to(tl.int64) * out_stride + place
    if BACKWARD:
        flow = tl.load(
            gradient + image.to(tl.int64) * gradient_stride + place, mask=there, other=0.0
        ).to(tl.float32)
        tl.store(target, flow * value * slope, mask=there)
        tl.store(target + step, flow * active, mask=there)
    else:
        tl.store(target, active * value, mask=there)


@triton.jit
def _weight_kernel(
    images,
    gradient,
    sums,
    batch,
    channels,
    height,
    width,
    image_stride,
    gradient_stride,
    SIZE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Correlate gradient and image at each tap, over a share of the tiles of one channel.

    One sum of a tile for each tap, in a tuple: an axis of taps would have to be a power of two, 16
    of them for 9 and 64 for 49.
    """
    channel, share, shares = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    tiles = tl.cdiv(height, ROWS) * tl.cdiv(width, COLUMNS)
    totals = (tl.zeros((ROWS, COLUMNS), tl.float32),) * (SIZE * SIZE)
    for item in range(share, batch * tiles, shares):
        image, tile = item // tiles, item % tiles
        rows, columns, there = _place(height, width, ROWS, COLUMNS, tile)
        source = gradient + image.to(tl.int64) * gradient_stride + channel * height * width
        flow = tl.load(source + rows[:, None] * width + columns[None, :], mask=there, other=0.0)
        flow = flow.to(tl.float32)
        plane = images + image.to(tl.int64) * image_stride + channel * height * width
        for tap in tl.static_range(SIZE * SIZE):
            y = rows + (tap // SIZE - SIZE // 2)
            x = columns + (tap % SIZE - SIZE // 2)
            inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None, :]
            value = tl.load(plane + y[:, None] * width + x[None, :], mask=inside, other=0.0)
            # The first leaves and returns as the last: after all taps they stand as before.
            grown = (totals[0] + flow * value.to(tl.float32),)
            totals = totals[1:] + grown
    target = sums + (share * channels + channel) * SIZE * SIZE
    for tap in tl.static_range(SIZE * SIZE):
        tl.store(target + tap, tl.sum(totals[tap]))


@triton.jit
def _product_kernel(
    images,
    weights,
    out,
    wide_in,
    wide_out,
    pixels,
    image_stride,
    plane_stride,
    out_weight_stride,
    in_weight_stride,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """Mix channels of a run of pixels of one image."""
    blocks = tl.cdiv(wide_out, ROWS)
    runs = tl.cdiv(pixels, PIXELS)
    block, run = tl.program_id(0) % blocks, tl.program_id(0) // blocks
    image, run = run // runs, run % runs
    row = block * ROWS + tl.arange(0, ROWS)
    pixel = run * PIXELS + tl.arange(0, PIXELS)
    depth = tl.arange(0, DEPTH)
    source = images + image.to(tl.int64) * image_stride
    total = tl.zeros((ROWS, PIXELS), tl.float32)
    for start in range(0, wide_in, DEPTH):
        channel = start + depth
        matrix = tl.load(
            weights + row[:, None] * out_weight_stride + channel[None, :] * in_weight_stride,
            mask=(row < wide_out)[:, None] & (channel < wide_in)[None, :],
            other=0.0,
        )
        values = tl.load(
            source + channel[:, None] * plane_stride + pixel[None, :],
            mask=(channel < wide_in)[:, None] & (pixel < pixels)[None, :],
            other=0.0,
        )
        total = tl.dot(matrix.to(values.dtype), values, total, input_precision="ieee")
    target = out + image.to(tl.int64) * wide_out * pixels
    there = (row < wide_out)[:, None] & (pixel < pixels)[None, :]
    tl.store(target + row[:, None] * pixels + pixel[None, :], total, mask=there)


@triton.jit
def _matrix_kernel(
    images,
    gradient,
    sums,
    batch,
    wide_in,
    wide_out,
    pixels,
    image_stride,
    plane_stride,
    gradient_stride,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """Multiply gradient and image over a share of the pixels of all images."""
    blocks = tl.cdiv(wide_out, ROWS)
    row = tl.program_id(0) % blocks * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(0) // blocks * COLUMNS + tl.arange(0, COLUMNS)
    share, shares = tl.program_id(1), tl.num_programs(1)
    runs = tl.cdiv(pixels, PIXELS)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for item in range(share, batch * runs, shares):
        image = (item // runs).to(tl.int64)
        pixel = item % runs * PIXELS + tl.arange(0, PIXELS)
        flow = tl.load(
            gradient + image * gradient_stride + row[:, None] * pixels + pixel[None, :],
            mask=(row < wide_out)[:, None] & (pixel < pixels)[None, :],
            other=0.0,
        )
        values = tl.load(
            images + image * image_stride + column[:, None] * plane_stride + pixel[None, :],
            mask=(column < wide_in)[:, None] & (pixel < pixels)[None, :],
            other=0.0,
        )
        total = tl.dot(flow, tl.trans(values), total, input_precision="ieee")
    target = sums + share * wide_out * wide_in
    there = (row < wide_out)[:, None] & (column < wide_in)[None, :]
    tl.store(target + row[:, None] * wide_in + column[None, :], total, mask=there)


def _tile(height: int, width: int, pixels: int) -> tuple[int, int, int]:
    """Rows and columns of a tile, powers of two that waste little, and how many tiles there are."""
    columns = 128
    while columns > 16 and width % columns:
        columns //= 2
    columns = min(columns, pixels)
    rows = min(pixels // columns, triton.next_power_of_2(height))
    return rows, columns, triton.cdiv(height, rows) * triton.cdiv(width, columns)


def _planes(images: Tensor) -> Tensor:
    """Make sure that each image's planes are contiguous; images may lie apart."""
    _, _, height, width = images.shape
    wanted = (height * width, width, 1)
    return images if images.stride()[1:] == wanted else images.contiguous()


def _runs(images: Tensor) -> Tensor:
    """Make sure that the pixels of a plane follow one another; planes may lie apart."""
    return images if images.stride()[2:] == (images.shape[-1], 1) else images.contiguous()


def _empty(like: Tensor, channels: int) -> Tensor:
    batch, _, height, width = like.shape
    return like.new_empty((batch, channels, height, width))


def _filter(images: Tensor, weights: Tensor, *, flip: bool) -> Tensor:
    images = _planes(images)
    batch, channels, height, width = images.shape
    size = weights.shape[-1]
    out = _empty(images, channels)
    rows, columns, tiles = _tile(height, width, _PIXELS if size < 5 else _PIXELS // 2)
    _filter_kernel[(batch * channels, tiles)](
        images,
        weights,
        out,
        channels,
        height,
        width,
        images.stride(0),
        out.stride(0),
        SIZE=size,
        FLIP=flip,
        ROWS=rows,
        COLUMNS=columns,
    )
    return out


def _weight_gradient(images: Tensor, gradient: Tensor, size: int) -> Tensor:
    images, gradient = _planes(images), _planes(gradient)
    batch, channels, height, width = images.shape
    rows, columns, tiles = _tile(height, width, _TAP_PIXELS)
    shares = max(1, min(batch * tiles, _PROGRAMS // channels))
    sums = images.new_empty((shares, channels, 1, size, size), dtype=torch.float32)
    _weight_kernel[(channels, shares)](
        images,
        gradient,
        sums,
        batch,
        channels,
        height,
        width,
        images.stride(0),
        gradient.stride(0),
        SIZE=size,
        ROWS=rows,
        COLUMNS=columns,
    )
    return sums.sum(0)


def _gate(images: Tensor, weights: Tensor, gradient: Tensor | None) -> Tensor:
    images = _planes(images)
    batch, channels, height, width = images.shape
    half = channels // 2
    backward = gradient is not None
    flow = images if gradient is None else _planes(gradient)
    out = _empty(images, channels if backward else half)
    rows, columns, tiles = _tile(height, width, _PIXELS // 2)
    _gate_kernel[(batch * half, tiles)](
        images,
        weights,
        flow,
        out,
        half,
        height,
        width,
        images.stride(0),
        flow.stride(0),
        out.stride(0),
        BACKWARD=backward,
        SIZE=weights.shape[-1],
        ROWS=rows,
        COLUMNS=columns,
    )
    return out


def _block(width: int, most: int) -> int:
    """Rows of a matrix that one program takes."""
    return int(min(most, max(16, triton.next_power_of_2(width))))


def _product(images: Tensor, matrix: Tensor) -> Tensor:
    """Multiply a matrix (C', C) of any strides with the channels of images."""
    images = _runs(images)
    batch, channels, height, width = images.shape
    wide_out, pixels = matrix.shape[0], height * width
    out = _empty(images, wide_out)
    rows, run = _block(wide_out, 128), 128
    programs = batch * triton.cdiv(pixels, run) * triton.cdiv(wide_out, rows)
    _product_kernel[(programs,)](
        images,
        matrix,
        out,
        channels,
        wide_out,
        pixels,
        images.stride(0),
        images.stride(1),
        matrix.stride(0),
        matrix.stride(1),
        ROWS=rows,
        DEPTH=_block(channels, 32),
        PIXELS=run,
        num_warps=8 if rows > 64 else 4,
    )
    return out


def _matrix_gradient(images: Tensor, gradient: Tensor) -> Tensor:
    """Gradient (C', C, 1, 1) of the weights of a pointwise convolution."""
    images, gradient = _runs(images), _planes(gradient)
    batch, channels, height, width = images.shape
    wide_out, pixels, run = gradient.shape[1], height * width, 64
    rows, columns = _block(wide_out, 128), _block(channels, 64)
    blocks = triton.cdiv(wide_out, rows) * triton.cdiv(channels, columns)
    shares = max(1, min(batch * triton.cdiv(pixels, run), _PROGRAMS // 4 // blocks))
    sums = images.new_empty((shares, wide_out, channels, 1, 1), dtype=torch.float32)
    _matrix_kernel[(blocks, shares)](
        images,
        gradient,
        sums,
        batch,
        channels,
        wide_out,
        pixels,
        images.stride(0),
        images.stride(1),
        gradient.stride(0),
        ROWS=rows,
        COLUMNS=columns,
        PIXELS=run,
        num_warps=8 if rows > 64 else 4,
    )
    return sums.sum(0)


@torch.library.custom_op("anyir::pointwise", mutates_args=())
def pointwise(images: Tensor, weights: Tensor) -> Tensor:
    """Mix the channels of each pixel.

    Parameters
    ----------
    images : Tensor
        (B, C, H, W) on a CUDA device; planes are contiguous, channels may lie apart.
    weights : Tensor
        (C', C, 1, 1), float32.

    Returns
    -------
    Tensor
        (B, C', H, W) of the type of ``images``.
    """
    return _product(images, weights.flatten(1))


@torch.library.custom_op("anyir::pointwise_backward", mutates_args=())
def pointwise_backward(gradient: Tensor, images: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of images and weights of `pointwise`."""
    return _product(gradient, weights.flatten(1).T), _matrix_gradient(images, gradient)


@pointwise.register_fake
def _(images: Tensor, weights: Tensor) -> Tensor:
    return _empty(images, weights.shape[0])


@torch.library.custom_op("anyir::depthwise", mutates_args=())
def depthwise(images: Tensor, weights: Tensor) -> Tensor:
    """Filter each channel by its own kernel, zeros beyond the border.

    Parameters
    ----------
    images : Tensor
        (B, C, H, W) on a CUDA device.
    weights : Tensor
        (C, 1, K, K), float32, with K odd.

    Returns
    -------
    Tensor
        (B, C, H, W) of the type of ``images``.
    """
    return _filter(images, weights, flip=False)


@torch.library.custom_op("anyir::depthwise_backward", mutates_args=())
def depthwise_backward(gradient: Tensor, images: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of images and weights of `depthwise`."""
    weight_gradient = _weight_gradient(images, gradient, weights.shape[-1])
    return _filter(gradient, weights, flip=True), weight_gradient


@torch.library.custom_op("anyir::gated_depthwise", mutates_args=())
def gated_depthwise(images: Tensor, weights: Tensor) -> Tensor:
    """Filter each channel and let the first half gate the second: ``GELU(first) * second``.

    Parameters
    ----------
    images : Tensor
        (B, 2 C, H, W) on a CUDA device.
    weights : Tensor
        (2 C, 1, K, K), float32, with K odd.

    Returns
    -------
    Tensor
        (B, C, H, W) of the type of ``images``.
    """
    return _gate(images, weights, None)


@torch.library.custom_op("anyir::gated_depthwise_backward", mutates_args=())
def gated_depthwise_backward(
    gradient: Tensor, images: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of images and weights of `gated_depthwise`."""
    # The filtered images are computed again: reading twice as much is cheaper than keeping them.
    flow = _gate(images, weights, gradient)
    weight_gradient = _weight_gradient(images, flow, weights.shape[-1])
    return _filter(flow, weights, flip=True), weight_gradient


@depthwise.register_fake
def _(images: Tensor, weights: Tensor) -> Tensor:
    return _empty(images, images.shape[1])


@gated_depthwise.register_fake
def _(images: Tensor, weights: Tensor) -> Tensor:
    return _empty(images, images.shape[1] // 2)


@pointwise_backward.register_fake
@depthwise_backward.register_fake
@gated_depthwise_backward.register_fake
def _(gradient: Tensor, images: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    return _empty(images, images.shape[1]), torch.empty_like(weights)


def _keep(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


pointwise.register_autograd(
    lambda ctx, gradient: pointwise_backward(gradient, *ctx.saved_tensors), setup_context=_keep
)
depthwise.register_autograd(
    lambda ctx, gradient: depthwise_backward(gradient, *ctx.saved_tensors), setup_context=_keep
)
gated_depthwise.register_autograd(
    lambda ctx, gradient: gated_depthwise_backward(gradient, *ctx.saved_tensors),
    setup_context=_keep,
)
