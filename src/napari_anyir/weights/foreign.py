"""Other people's restoration networks, through spandrel: Restormer, NAFNet, SwinIR, SCUNet, ...

spandrel tells a network by the names and shapes of its tensors and builds it. Files are read by
`napari_anyir.weights.loading`, which runs no code in them; spandrel's own reader is never asked.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from napari_anyir.errors import ModelError
from napari_anyir.weights.live_memory import peak_bytes
from napari_anyir.weights.torchvision_operators import declare_operators

INSTALL = "pip install 'napari-anyir[spandrel]'"
"""What brings spandrel."""

_MEASURED = (128, 256)  # sides of the images by which the memory is counted
_TRIED = 40  # side of the image that a network must restore before it is taken


@dataclass(frozen=True)
class ForeignConfig:
    """What has to be known of a network to run it.

    Parameters
    ----------
    architecture : str
        Such as ``"Restormer"``.
    channels : int
        Of the images that it takes: 3, or 1 for grey ones.
    size_multiple, minimum : int
        Height and width must be a multiple of the one and at least the other.
    square : bool
        Whether they must be the same.
    half, bfloat16 : bool
        Whether the network works in these types.
    numbers_per_pixel : float
        Numbers that a pass holds at its peak, for each pixel.
    numbers_per_pair : float
        And for each pair of pixels, where every pixel looks at every other.

    Examples
    --------
    >>> from napari_anyir.weights.foreign import ForeignConfig
    >>> config = ForeignConfig("SCUNet", minimum=40, size_multiple=8, numbers_per_pixel=500)
    >>> config.size(30, 50), config.pass_bytes(30, 50)
    ((40, 56), 4480000)
    """

    architecture: str
    channels: int = 3
    size_multiple: int = 1
    minimum: int = 1
    square: bool = False
    half: bool = False
    bfloat16: bool = False
    numbers_per_pixel: float = 0.0
    numbers_per_pair: float = 0.0

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width to which an image is padded."""
        multiple = self.size_multiple
        rows, columns = (
            -(-max(length, self.minimum) // multiple) * multiple for length in (height, width)
        )
        return (max(rows, columns),) * 2 if self.square else (rows, columns)

    def pass_bytes(self, height: int, width: int, itemsize: int = 4) -> int:
        """Estimate the memory of a pass, without the weights."""
        rows, columns = self.size(height, width)
        pixels = rows * columns
        return int(itemsize * pixels * (self.numbers_per_pixel + self.numbers_per_pair * pixels))

    def precision(self, name: str, preferred: str) -> str:
        """Return the working precision: the preferred one where the network works in it.

        Raises
        ------
        ValueError
            If one was named in which it does not.
        """
        works = {"float32": True, "bfloat16": self.bfloat16, "float16": self.half}
        if works.get(preferred, False):
            return preferred
        if name == "auto":
            return "float32"
        raise ValueError(
            f"The {self.architecture} network does not work in {name}; choose 'auto' or 'float32'."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ForeignConfig:
        """Read what `to_dict` made.

        Raises
        ------
        ValueError
            If a field is unknown.
        """
        if unknown := sorted(set(values) - {field.name for field in fields(cls)}):
            raise ValueError(f"Unknown field {unknown[0]!r} of a network from elsewhere.")
        return cls(**values)


class ForeignNetwork(nn.Module):
    """A network from elsewhere that takes and gives what `napari_anyir.model.AnyIR` does.

    Parameters
    ----------
    network : torch.nn.Module
        The network itself.
    call : callable
        ``call(network, image)`` for one image (1, `channels`, H, W), whose result is not clipped.
    config : ForeignConfig
        What is known of it.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.weights.foreign import ForeignConfig, ForeignNetwork
    >>> blur = torch.nn.Conv2d(1, 1, 3, padding=1)
    >>> network = ForeignNetwork(blur, lambda net, x: net(x), ForeignConfig("Blur", channels=1))
    >>> network(torch.rand(2, 3, 5, 7)).shape
    torch.Size([2, 3, 5, 7])
    """

    def __init__(
        self,
        network: nn.Module,
        call: Callable[[nn.Module, Tensor], Tensor],
        config: ForeignConfig,
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self._call = call

    def forward(self, x: Tensor) -> Tensor:
        """Restore images (B, 3, H, W) in [0, 1]; the result is not clipped.

        One by one, so that no image's last bits depend on those beside it; grey networks take the
        colours one by one, or once where all three are the same.
        """
        restored = []
        for image in x.split(1):
            if self.config.channels == 3:
                restored.append(self._one(image))
                continue
            first = image[:, :1]
            if x.device.type != "meta" and torch.equal(first.expand_as(image), image):
                restored.append(self._one(first).expand_as(image))
            else:
                restored.append(torch.cat([self._one(c) for c in image.split(1, dim=1)], dim=1))
        return torch.cat(restored)

    def _one(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        rows, columns = self.config.size(height, width)
        padded = _reflected(_reflected(image, rows, -2), columns, -1)
        result = self._call(self.network, padded.contiguous())
        if result.shape != padded.shape:
            raise ModelError(
                f"The {self.config.architecture} network gave an image of another size or other "
                f"channels ({tuple(padded.shape)} to {tuple(result.shape)}), so it cannot restore."
            )
        return result[..., :height, :width]


def _reflected(x: Tensor, size: int, axis: int) -> Tensor:
    """Extend an axis to a size by reflection, as often as it takes."""
    length = x.shape[axis]
    if size == length:
        return x
    period = max(2 * (length - 1), 1)
    index = torch.arange(size, device=x.device) % period
    return x.index_select(axis, torch.minimum(index, period - index) if length > 1 else index * 0)


def _import_spandrel(source: str) -> Any:
    """Import spandrel, with the networks whose licences are restrictive where they are installed.

    Raises
    ------
    ModelError
        If it is not installed or cannot be imported.
    """
    declare_operators()
    try:
        import spandrel
    except ImportError as error:
        raise ModelError(
            f"'{source}' is not of an AnyIR network (it has no 'embed.weight'), and networks of "
            f"others need spandrel ({error}); install it with: {INSTALL}"
        ) from error
    try:
        import spandrel_extra_arches
    except ImportError:
        return spandrel
    spandrel_extra_arches.install(ignore_duplicates=True)
    return spandrel


def build_foreign(
    tensors: Mapping[str, Tensor], source: str, known: Mapping[str, Any] | None = None
) -> ForeignNetwork:
    """Build the network to which tensors belong.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        A state dictionary.
    source : str
        The file, for error messages.
    known : mapping, optional
        Fields of its `ForeignConfig` from a card; without them the network is measured and tried.

    Returns
    -------
    ForeignNetwork
        In evaluation mode, on the CPU, float32.

    Raises
    ------
    ModelError
        If spandrel is not there, does not know the network, or the network does not restore at the
        size of its input.

    Examples
    --------
    >>> build_foreign({"some.weight": torch.ones(1)}, "some.pth")
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ModelError: 'some.pth' is ...
    """
    spandrel = _import_spandrel(source)
    loader = spandrel.ModelLoader(device="cpu")
    try:
        found = loader.load_from_state_dict(dict(tensors))
    except spandrel.UnsupportedModelError as error:
        raise ModelError(
            f"'{source}' is of no network that AnyIR or spandrel knows (it has no 'embed.weight'); "
            "Restormer and a few others also need: pip install spandrel_extra_arches"
        ) from error
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise ModelError(
            f"'{source}' does not fit the network that its names belong to "
            f"({type(error).__name__}: {reason}); get the checkpoint again."
        ) from error
    name = found.architecture.name
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.scale != 1:
        what = f"enlarges {found.scale} times" if found.scale != 1 else "needs a mask"
        raise ModelError(f"'{source}' is a {name} network that {what}; only restoration is run.")
    channels = found.input_channels
    if channels not in (1, 3) or found.output_channels != channels:
        raise ModelError(
            f"'{source}' is a {name} network from {channels} to {found.output_channels} channels; "
            "only networks from 3 to 3 or from 1 to 1 can be run."
        )
    needs = found.size_requirements
    config = ForeignConfig(
        architecture=name,
        channels=channels,
        size_multiple=needs.multiple_of,
        minimum=max(1, needs.minimum),
        square=needs.square,
        half=found.supports_half,
        bfloat16=found.supports_bfloat16,
    )
    module = found.model.float().eval().requires_grad_(False)
    # The descriptor itself would clip results to [0, 1], and so move intensities beyond the range.
    network = ForeignNetwork(module, found._call_fn, config).eval()
    if known:
        network.config = ForeignConfig.from_dict(known)
        return network
    network.config = _measured(network)
    with torch.inference_mode():
        if not network(torch.rand(1, 3, _TRIED, _TRIED)).isfinite().all():
            raise ModelError(f"'{source}' gives NaN or infinite pixels; get the checkpoint again.")
    return network


def _measured(network: ForeignNetwork) -> ForeignConfig:
    """Count the numbers that a pass holds, at two sizes."""
    try:
        pixels, numbers = _numbers(copy.deepcopy(network).to("meta"), "meta", _MEASURED)
    except (NotImplementedError, RuntimeError):
        # Some networks look at values on their way; then it has to be computed, on small images.
        pixels, numbers = _numbers(network, "cpu", (side // 2 for side in _MEASURED))
    rates = [n / p for n, p in zip(numbers, pixels, strict=True)]
    grows = max(0.0, rates[1] - rates[0]) / (pixels[1] - pixels[0]) if rates[0] else 0.0
    if grows * pixels[1] < 0.1 * rates[1]:
        grows = 0.0
    values = {
        **network.config.to_dict(),
        "numbers_per_pixel": round(max(rates) if not grows else rates[0] - grows * pixels[0], 1),
        "numbers_per_pair": grows,
    }
    return ForeignConfig(**values)


def _numbers(network: ForeignNetwork, device: str, sides: Any) -> tuple[list[int], list[float]]:
    pixels, numbers = [], []
    for side in sides:
        rows, columns = network.config.size(side, side)
        image = torch.zeros(1, 3, rows, columns, device=device)
        pixels.append(rows * columns)
        numbers.append(peak_bytes(network, image) / 4)
    return pixels, numbers
