"""The sets of the protocols as users have them on disk: names, folders, counts, and their traps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from napari_anyir.training.paper.protocols import CDD11_FOLDERS
from napari_anyir.training.sets.pairing import hazy_name, rain_name, same_name

Split = Literal["train", "test"]


@dataclass(frozen=True)
class SetLayout:
    """How one set lies on disk.

    All names are compared without letter case and without anything but letters and digits, so that
    ``LOL-v1``, ``lol_v1`` and ``LOLv1`` are one.

    Parameters
    ----------
    key : str
        Name by which `napari_anyir.training.sets.layouts.find_test` knows it.
    name : str
        As tables print it.
    split : {"train", "test"}
        What it is for.
    expected : int or None
        Images (pairs) that the protocol counts; None where nobody says.
    place : str
        Regular expression that one of the folders above the images matches; empty: any.
    refused : str
        Regular expression that none of them may match.
    degraded : tuple of str
        Names of the folder of degraded images, in order of preference; empty: clean images only.
    clean : tuple of str
        The same for clean images.
    advice : str
        How to lay it out below ROOT.
    rule : callable
        From the stem of a degraded file to the stems that its clean file may have.
    other : int or None
        What the twin of the other split counts. A folder whose path says neither train nor test
        belongs to the one whose count is nearer.
    inside : str
        Regular expression for folders between ``degraded`` and the images.
    siblings : tuple of str
        Folders of which one at least stands beside the others: what tells a set by its folders.

    Examples
    --------
    >>> from napari_anyir.training.sets.catalogue import find_layout
    >>> find_layout("test", "rain100l").expected
    100
    """

    key: str
    name: str
    split: Split
    expected: int | None
    place: str
    refused: str
    degraded: tuple[str, ...]
    clean: tuple[str, ...]
    advice: str
    rule: Callable[[str], list[str]] = same_name
    other: int | None = None
    inside: str = ""
    siblings: tuple[str, ...] = ()


_RAIN = r"rain100l.*|derain(ing)?|raindata(train|test)light|rain(train|test)l|rain"
_NOT_RAIN = r".*100h.*|.*heavy.*|cdd.*"
_GOPRO = r"gopro.*|deblur(ring)?|gopr\d.*"
# Sequences below blur and sharp, as codes for video have them.
_SEQUENCES = r"gopr\d.*"
_LOL = r"lol(v1|dataset)?|lol(v1)?(train|test|eval)|lowlight.*|enhance(ment)?|our485|eval15"
_NOT_LOL = r"lolv?2.*|.*real.*|.*synthetic.*|cdd.*"
_SOTS = r"sots.*|.*dehaz(e|ing)|reside.*"
_HAZY, _CLEAR = ("hazy", "haze", "input"), ("gt", "clear", "clean", "target", "original")
_BEFORE, _AFTER = ("blur", "input"), ("sharp", "target", "gt")
_RAINY, _DRY = ("rainy", "input", "rain"), ("gt", "norain", "target", "clean")
_FLAT = ("originalpng", "original", "hr", "images", "gt", "target", "clean")

_FIXED = (
    SetLayout(
        "bsd400",
        "BSD400",
        "train",
        400,
        r"c?bsds?400.*",
        r".*wed.*|.*gr[ae]y.*",
        (),
        _FLAT,
        "ROOT/BSD400/*.jpg, 400 colour images",
    ),
    SetLayout(
        "wed",
        "WED",
        "train",
        4744,
        r"wed|waterloo.*",
        r".*bsd.*",
        (),
        (*_FLAT, "pristineimages"),
        "ROOT/WED/*.bmp, 4,744 images",
    ),
    SetLayout(
        "denoise",
        "BSD400 and WED in one folder",
        "train",
        5144,
        r"denois(e|ing)|bsd(s?400)?wed|wedbsd(s?400)?",
        r"",
        (),
        _FLAT,
        "ROOT/train/Denoise/, all 5,144 images (or BSD400 and WED in folders of their names)",
    ),
    SetLayout(
        "rain100l",
        "Rain100L",
        "train",
        200,
        _RAIN,
        _NOT_RAIN,
        _RAINY,
        _DRY,
        "ROOT/Rain100L/train/rainy/rain-1.png and ROOT/Rain100L/train/gt/norain-1.png, or "
        "input/ and target/ with equal names; 200 pairs",
        rain_name,
        100,
    ),
    SetLayout(
        "reside",
        "RESIDE outdoor (OTS)",
        "train",
        72_135,
        r"reside.*|ots.*|.*dehaz(e|ing)",
        r"sots.*|.*indoor.*|its|cdd.*",
        ("synthetic", "hazy", "haze"),
        ("original", "clear", "clean", "gt"),
        "ROOT/RESIDE/synthetic/part1/0025_0.8_0.04.jpg (parts 1 to 4) and "
        "ROOT/RESIDE/original/0025.jpg; 72,135 hazy images",
        hazy_name,
        500,
        r"part[ _-]?\d+",
    ),
    SetLayout(
        "gopro",
        "GoPro",
        "train",
        2103,
        _GOPRO,
        r"hide|realblur.*",
        _BEFORE,
        _AFTER,
        "ROOT/GoPro/train/blur and ROOT/GoPro/train/sharp, same names, or the original tree "
        "train/GOPR*/{blur,sharp} or train/{blur,sharp}/GOPR*; 2,103 pairs; never blur_gamma",
        same_name,
        1111,
        _SEQUENCES,
    ),
    SetLayout(
        "lol-v1",
        "LOL-v1",
        "train",
        485,
        _LOL,
        _NOT_LOL,
        ("low", "input"),
        ("high", "gt", "target"),
        "ROOT/LOL-v1/our485/low and ROOT/LOL-v1/our485/high (or gt), same names; 485 pairs",
        same_name,
        15,
    ),
    SetLayout(
        "sots-outdoor",
        "SOTS outdoor",
        "test",
        500,
        _SOTS,
        r".*indoor.*|ots.*|cdd.*|nyu.*",
        _HAZY,
        _CLEAR,
        "ROOT/SOTS/outdoor/hazy/0001_0.8_0.2.jpg and ROOT/SOTS/outdoor/gt/0001.png; 500 pairs",
        hazy_name,
        72_135,
    ),
    SetLayout(
        "sots-indoor",
        "SOTS indoor",
        "test",
        500,
        r".*indoor.*|nyuhaze500",
        r".*outdoor.*|its|cdd.*",
        _HAZY,
        _CLEAR,
        "ROOT/SOTS/indoor/hazy/1400_1.png and ROOT/SOTS/indoor/gt/1400.png; 500 pairs",
        hazy_name,
        13_990,
    ),
    SetLayout(
        "rain100l",
        "Rain100L",
        "test",
        100,
        _RAIN,
        _NOT_RAIN,
        _RAINY,
        _DRY,
        "ROOT/Rain100L/test/input and ROOT/Rain100L/test/target with equal names, or rainy/ and "
        "gt/; 100 pairs",
        rain_name,
        200,
    ),
    SetLayout(
        "cbsd68",
        "CBSD68",
        "test",
        68,
        r"c?bsds?68.*",
        r".*gr[ae]y.*",
        (),
        _FLAT,
        "ROOT/CBSD68/original_png/*.png, 68 colour images, without noise",
    ),
    SetLayout(
        "urban100",
        "Urban100",
        "test",
        100,
        r"urban100.*",
        r"",
        (),
        _FLAT,
        "ROOT/Urban100/*.png, 100 images in full size",
    ),
    SetLayout(
        "gopro",
        "GoPro",
        "test",
        1111,
        _GOPRO,
        r"hide|realblur.*",
        _BEFORE,
        _AFTER,
        "ROOT/GoPro/test/blur and ROOT/GoPro/test/sharp, same names, or the original tree "
        "test/GOPR*/{blur,sharp} or test/{blur,sharp}/GOPR*; 1,111 pairs; never blur_gamma",
        same_name,
        2103,
        _SEQUENCES,
    ),
    SetLayout(
        "lol-v1",
        "LOL-v1",
        "test",
        15,
        _LOL,
        _NOT_LOL,
        ("low", "input"),
        ("high", "gt", "target"),
        "ROOT/LOL-v1/eval15/low and ROOT/LOL-v1/eval15/high, same names; 15 pairs",
        same_name,
        485,
    ),
    SetLayout(
        "csd",
        "CSD",
        "test",
        None,
        r"csd.*",
        r"",
        ("snow", "snowy", "input"),
        ("gt", "target", "clean"),
        "ROOT/CSD/Test/Snow and ROOT/CSD/Test/Gt, same names",
    ),
    SetLayout(
        "uieb",
        "UIEB",
        "test",
        890,
        "",
        r"",
        ("raw890",),
        ("reference890",),
        "ROOT/UIEB/raw-890 and ROOT/UIEB/reference-890, same names; 890 pairs",
    ),
)


def _cdd11(split: Split, images: int, other: int) -> tuple[SetLayout, ...]:
    return tuple(
        SetLayout(
            f"cdd11/{folder}",
            f"CDD-11 {folder.replace('_', '+')}",
            split,
            images,
            "",
            "",
            (folder.replace("_", ""),),
            ("clear",),
            f"ROOT/CDD-11/{split}/{folder}/00001.png and ROOT/CDD-11/{split}/clear/00001.png; "
            f"{images:,} pairs",
            same_name,
            other,
            siblings=tuple(name.replace("_", "") for name in CDD11_FOLDERS if name != folder),
        )
        for folder in CDD11_FOLDERS
    )


LAYOUTS: tuple[SetLayout, ...] = (*_FIXED, *_cdd11("train", 1183, 200), *_cdd11("test", 200, 1183))
"""All sets, training first within each family."""

TASK_LAYOUTS: dict[str, str] = {
    "derain": "rain100l",
    "dehaze": "reside",
    "deblur": "gopro",
    "low-light": "lol-v1",
}
"""Training set of each task that has exactly one."""


PARTS_EXPECTED: dict[tuple[int, ...] | None, int] = {(1, 2): 36_400}
"""Hazy images of some parts of RESIDE, where the protocols count them apart."""


def plain(name: str) -> str:
    """Reduce a name to what is compared: small letters and digits.

    Examples
    --------
    >>> from napari_anyir.training.sets.catalogue import plain
    >>> plain("LOL-v1"), plain("Low_Haze")
    ('lolv1', 'lowhaze')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_layout(split: Split, key: str) -> SetLayout:
    """Find a set by its split and key.

    Parameters
    ----------
    split : {"train", "test"}
        What it is for.
    key : str
        As in `SetLayout`.

    Returns
    -------
    SetLayout
        The set.

    Raises
    ------
    ValueError
        If there is none; the sentence lists the known keys.

    Examples
    --------
    >>> from napari_anyir.training.sets.catalogue import find_layout
    >>> find_layout("train", "gopro").expected
    2103
    """
    for layout in LAYOUTS:
        if layout.split == split and layout.key == key:
            return layout
    known = ", ".join(layout.key for layout in LAYOUTS if layout.split == split)
    raise ValueError(f"Unknown layout {key!r} to {split}; known are {known}.")
