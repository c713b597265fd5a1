"""The paper's settings as data: what each protocol trains on, how often, and what it is tested on.

Repeats balance sets of very different sizes within one epoch: 200 rainy photographs are shown 120
times while each of 72,135 hazy ones is shown once (Sec. A.1; the repeats are those of the lineage).
"""

from __future__ import annotations

from dataclasses import dataclass

TASK_NAMES = ("denoise", "derain", "dehaze", "deblur", "low-light", "cdd11")
"""Tasks that `napari_anyir.training.sets.layouts.find_training` finds images for."""

SIGMAS = (15, 25, 50)
"""Standard deviations of the Gaussian noise, in grey levels of 255."""

CDD11_FOLDERS = (
    "low",
    "haze",
    "rain",
    "snow",
    "low_haze",
    "low_rain",
    "low_snow",
    "haze_rain",
    "haze_snow",
    "low_haze_rain",
    "low_haze_snow",
)
"""Degraded folders of CDD-11, in the order of the paper's Tab. 3."""


@dataclass(frozen=True)
class Task:
    """One training task of a protocol.

    Parameters
    ----------
    name : str
        One of `TASK_NAMES`.
    repeats : int
        How often each image is shown in an epoch; for denoising at each sigma.
    sigmas : tuple of int
        Noise levels in grey levels of 255; empty for all tasks but denoising.
    parts : tuple of int or None
        Parts of RESIDE that are used; None is all that are there.
    shared : int
        Further repeats in which each image takes one of the sigmas, another one each epoch.

    Raises
    ------
    ValueError
        If the name is unknown, nothing is shown, or the sigmas do not suit the task.

    Examples
    --------
    >>> from napari_anyir.training.paper.protocols import Task
    >>> Task("denoise", 3, (15, 25, 50)).items(5144)
    46296
    """

    name: str
    repeats: int
    sigmas: tuple[int, ...] = ()
    parts: tuple[int, ...] | None = None
    shared: int = 0

    def __post_init__(self) -> None:
        """Refuse what no epoch can be made of."""
        if self.name not in TASK_NAMES:
            raise ValueError(f"Unknown task {self.name!r}; known are {', '.join(TASK_NAMES)}.")
        if self.repeats < 0 or self.shared < 0 or self.repeats + self.shared == 0:
            raise ValueError(f"Task {self.name!r} must show each image at least once in an epoch.")
        if (self.name == "denoise") != bool(self.sigmas):
            raise ValueError("Sigmas belong to 'denoise' and to no other task; name at least one.")
        if self.shared and not self.sigmas:
            raise ValueError("Only repeats of 'denoise' can be shared among sigmas.")
        if self.parts is not None and (self.name != "dehaze" or not self.parts):
            raise ValueError("Parts belong to 'dehaze' (RESIDE); name at least one or leave None.")

    def items(self, images: int) -> int:
        """Count the items of an epoch.

        Parameters
        ----------
        images : int
            Images (pairs) of the task.

        Returns
        -------
        int
            Items shown in one epoch.
        """
        return images * (self.repeats * max(len(self.sigmas), 1) + self.shared)


@dataclass(frozen=True)
class TestSet:
    """One set that a protocol is tested on.

    Parameters
    ----------
    name : str
        As tables print it.
    layout : str
        Key that `napari_anyir.training.sets.layouts.find_test` understands.
    sigma : int or None
        Noise that is added to clean images, in grey levels of 255; None where pairs are stored.

    Examples
    --------
    >>> from napari_anyir.training.paper.protocols import TestSet
    >>> TestSet("CBSD68 sigma 25", "cbsd68", 25).sigma
    25
    """

    # The name begins with Test, but it is no test class for pytest.
    __test__ = False

    name: str
    layout: str
    sigma: int | None = None


@dataclass(frozen=True)
class Protocol:
    """One setting of the paper.

    Parameters
    ----------
    name : str
        As on the command line.
    tasks : tuple of Task
        What it trains on; empty where a checkpoint of another protocol is tested.
    tests : tuple of TestSet
        What it is tested on, in the order of the noise stream: sigma 15, then 25, then 50. Its
        average is the mean over these.
    epochs : int
        Epochs of the paper; 0 where nothing is trained.
    trained_by : str or None
        Protocol whose checkpoint is tested; None: its own, or any.

    Examples
    --------
    >>> from napari_anyir.training.paper.protocols import find_protocol
    >>> protocol = find_protocol("5deg")
    >>> [task.name for task in protocol.tasks]
    ['denoise', 'derain', 'dehaze', 'deblur', 'low-light']
    >>> protocol.epochs
    130
    """

    name: str
    tasks: tuple[Task, ...]
    tests: tuple[TestSet, ...]
    epochs: int
    trained_by: str | None = None


def _noisy(name: str, layout: str, sigmas: tuple[int, ...] = SIGMAS) -> tuple[TestSet, ...]:
    return tuple(TestSet(f"{name} sigma {sigma}", layout, sigma) for sigma in sigmas)


_DENOISE = Task("denoise", 3, SIGMAS)
_DERAIN = Task("derain", 120)
_DEHAZE = Task("dehaze", 1)
_DEBLUR = Task("deblur", 5)
_LOW_LIGHT = Task("low-light", 20)
_CDD11 = Task("cdd11", 6)

_CBSD68 = _noisy("CBSD68", "cbsd68")
_SOTS = TestSet("SOTS outdoor", "sots-outdoor")
_RAIN100L = TestSet("Rain100L", "rain100l")
_GOPRO = TestSet("GoPro", "gopro")
_LOL = TestSet("LOL-v1", "lol-v1")
_THREE = (_SOTS, _RAIN100L, *_CBSD68)
_FIVE = (_SOTS, _RAIN100L, *_noisy("CBSD68", "cbsd68", (25,)), _GOPRO, _LOL)
_MIXED = tuple(
    TestSet(f"CDD-11 {folder.replace('_', '+')}", f"cdd11/{folder}") for folder in CDD11_FOLDERS
)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("3deg", (_DENOISE, _DERAIN, _DEHAZE), _THREE, 120),
        Protocol("5deg", (_DENOISE, _DERAIN, _DEHAZE, _DEBLUR, _LOW_LIGHT), _FIVE, 130),
        Protocol("cdd11", (_CDD11,), _MIXED, 150),
        Protocol("zeroshot-snow", (), (TestSet("CSD", "csd"),), 0, "3deg"),
        Protocol("zeroshot-underwater", (), (TestSet("UIEB", "uieb"),), 0, "5deg"),
        # The paper names no epochs for single tasks; those of the setting they are taken from.
        Protocol("denoise", (_DENOISE,), (*_CBSD68, *_noisy("Urban100", "urban100")), 120),
        Protocol("derain", (_DERAIN,), (_RAIN100L,), 120),
        Protocol("dehaze", (_DEHAZE,), (_SOTS,), 120),
        # Tab. 12: 36,400 hazy, 24,000 rainy and 66,872 = 13 x 5,144 noisy items make 127,272, 89 %
        # of the original. Thirteen is no multiple of three, so the thirteenth repeat is shared.
        Protocol(
            "3deg-balanced",
            (Task("denoise", 4, SIGMAS, shared=1), _DERAIN, Task("dehaze", 1, parts=(1, 2))),
            _THREE,
            120,
        ),
        # Small real sets to develop with: tested only, by whatever model is named.
        Protocol(
            "dev",
            (),
            (*_CBSD68, _RAIN100L, _LOL, TestSet("SOTS indoor", "sots-indoor"), _GOPRO),
            0,
        ),
    )
}
"""All protocols by name."""


OWN = Protocol("pairs", (), (TestSet("pairs", "pairs"),), 0)
"""Pairs of one's own, which are in no table: a folder with ``input`` and ``target``."""


def find_protocol(name: str) -> Protocol:
    """Find a protocol by its name.

    Parameters
    ----------
    name : str
        A key of `PROTOCOLS`, or that of `OWN`.

    Returns
    -------
    Protocol
        The protocol.

    Raises
    ------
    ValueError
        If there is none of that name; the sentence lists those that are.

    Examples
    --------
    >>> from napari_anyir.training.paper.protocols import find_protocol
    >>> len(find_protocol("cdd11").tests)
    11
    """
    if name == OWN.name:
        return OWN
    if name not in PROTOCOLS:
        known = ", ".join((*PROTOCOLS, OWN.name))
        raise ValueError(f"Unknown protocol {name!r}; known are {known}.")
    return PROTOCOLS[name]
