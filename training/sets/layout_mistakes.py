"""What goes wrong when sets are laid out by hand, each told in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

from napari_anyir.training.sets.catalogue import SetLayout, plain
from napari_anyir.training.sets.finding import Candidate, part_number, places, split_of
from napari_anyir.training.sets.pairing import Folder

RESIDE_PARTS = (1, 2, 3, 4)
"""Parts of RESIDE's outdoor training set; together 72,135 hazy images."""

_DISTINCT = 492
"""Clean images of SOTS outdoor, of which its 500 hazy ones were made; some copies have no more."""


def why_refused(root: Folder, layout: SetLayout) -> str:
    """Say why a set that seems to be there cannot be used.

    Parameters
    ----------
    root : Folder
        As scanned.
    layout : SetLayout
        The set, of which there is no candidate.

    Returns
    -------
    str
        Part of a sentence; empty if nothing like it is there.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.catalogue import find_layout
    >>> from napari_anyir.training.sets.pairing import Folder
    >>> from napari_anyir.training.sets.layout_mistakes import why_refused
    >>> gamma = Folder(Path("GoPro/blur_gamma"), ["1.png"])
    >>> sharp = Folder(Path("GoPro/sharp"), ["1.png"])
    >>> root = Folder(Path("GoPro"), [], {"blur_gamma": gamma, "sharp": sharp})
    >>> why_refused(root, find_layout("test", "gopro"))
    "'GoPro' has blur_gamma but no blur, which the benchmark uses"
    """
    for names, folder in root.walk((root.path.resolve().name,)):
        inside = {plain(name) for name, child in folder.folders.items() if child.count()}
        if layout.key == "gopro" and "blurgamma" in inside and "blur" not in inside:
            if split_of(names) in (None, layout.split):
                return f"'{folder.path}' has blur_gamma but no blur, which the benchmark uses"
        elif layout.place and re.fullmatch(layout.place, plain(names[-1])) and not layout.degraded:
            if folder.folders and not folder.images:
                shown = ", ".join(list(folder.folders)[:4])
                return f"'{folder.path}' holds no images itself, only folders: {shown}"
        elif layout.degraded and layout.place and layout.key != "reside":
            lone = _lone(layout, names, folder, inside)
            if lone:
                return lone
    for place in places(root, layout):
        said = split_of(place.names)
        count = len((place.degraded or place.clean).files(layout.inside))
        if said is None:
            return (
                f"the path of '{place.folder.path}' says neither train nor test, and its "
                f"{count:,} images are nearer to the other split; name a folder above it "
                f"'{layout.split}' if it is for that"
            )
    return ""


def _lone(layout: SetLayout, names: tuple[str, ...], folder: Folder, inside: set[str]) -> str:
    if not any(re.fullmatch(layout.place, plain(name)) for name in names[1:] or names):
        return ""
    if split_of(names) not in (None, layout.split):
        return ""
    degraded, clean = inside & set(layout.degraded), inside & set(layout.clean)
    if bool(degraded) == bool(clean):
        return ""
    there = sorted(degraded or clean)[0]
    lacking = " or ".join((layout.clean if degraded else layout.degraded)[:3])
    return f"'{folder.path}' has {there} but no partner folder {lacking} with images"


def notes_of(candidate: Candidate) -> list[str]:
    """Tell what to know of a set that is there.

    Parameters
    ----------
    candidate : Candidate
        The set.

    Returns
    -------
    list of str
        A sentence each; empty if all is well.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.catalogue import find_layout
    >>> from napari_anyir.training.sets.finding import candidates
    >>> from napari_anyir.training.sets.pairing import Folder
    >>> from napari_anyir.training.sets.layout_mistakes import notes_of
    >>> wed = Folder(Path("WED"), [f"{i:05}.bmp" for i in range(4744)])
    >>> notes_of(candidates(Folder(Path("data"), [], {"WED": wed}), find_layout("train", "wed"))[0])
    []
    """
    layout, notes = candidate.layout, []
    if candidate.without:
        notes.append(
            f"{len(candidate.without):,} degraded files have no clean partner, the first is "
            f"'{candidate.without[0]}': training and tests refuse the set until they are paired."
        )
    if candidate.unused and layout.key != "reside":
        notes.append(
            f"{len(candidate.unused):,} clean files belong to no degraded one, the first is "
            f"'{candidate.unused[0]}'."
        )
    if not candidate.marked and layout.other is not None:
        notes.append(
            f"Its path says neither train nor test; its count is nearer to that of the "
            f"{layout.split} set, so it was taken for that."
        )
    notes += _sizes(candidate)
    special = {
        "reside": _reside,
        "sots-outdoor": _sots,
        "gopro": _gopro,
        "bsd400": _grey,
        "cbsd68": _grey,
    }.get(layout.key)
    return notes + (special(candidate) if special else [])


def _sizes(candidate: Candidate) -> list[str]:
    """Compare the sizes of the first pair: some copies of clean images have a frame around."""
    from PIL import Image, UnidentifiedImageError

    pair = next((pair for pair in candidate.pairs if pair.degraded is not None), None)
    if pair is None or pair.degraded is None:
        return []
    try:
        with Image.open(pair.degraded) as degraded, Image.open(pair.clean) as clean:
            sizes = degraded.size, clean.size
    except (UnidentifiedImageError, OSError):
        return []
    if sizes[0] == sizes[1]:
        return []
    shown = [f"{width} x {height}" for width, height in sizes]
    told = f"'{pair.degraded.name}' is {shown[0]} but its clean partner {shown[1]}"
    return [f"{told}: pairs must show the same pixels."]


def _reside(candidate: Candidate) -> list[str]:
    notes = []
    names = [file for place in candidate.places for file in candidate.files(place)]
    parts = sorted({number for number in map(part_number, names) if number is not None})
    count = len(names)
    if wrong := [part for part in parts if part not in RESIDE_PARTS]:
        notes.append(f"Part {wrong[0]} is not one of the protocol's parts 1 to 4: move it away.")
    if parts and (absent := sorted(set(RESIDE_PARTS) - set(parts))):
        shown = ", ".join(map(str, absent))
        notes.append(f"Parts {shown} are missing: the protocol takes all of parts 1 to 4.")
    expected = candidate.layout.expected or 0
    if count > expected:
        notes.append(
            f"{count:,} hazy images are more than the {expected:,} of the outdoor training set "
            "(OTS) of RESIDE-beta: is it another release, or does it lie there twice?"
        )
    if indoor := next((name for name in names if _is_indoor(name)), None):
        notes.append(
            f"'{indoor}' is named as the images of the indoor training set (ITS), which the "
            "protocol does not use: it takes names such as 0025_0.8_0.04.jpg."
        )
    if not parts:
        notes.append("The hazy images lie in no part folders, so 3deg-balanced cannot be trained.")
    return notes


def _is_indoor(name: str) -> bool:
    """Whether the second field counts (1 to 10, ITS) where OTS has an airlight of at most 1."""
    fields = Path(name).name.split("_")
    return len(fields) >= 2 and fields[1].isdecimal() and int(fields[1]) > 1


def _sots(candidate: Candidate) -> list[str]:
    clean = {pair.clean for pair in candidate.pairs}
    if len(candidate.pairs) == _DISTINCT:
        told = (
            f"This copy has {_DISTINCT} pairs, one for each distinct clean image; the usual test "
            f"has {candidate.layout.expected} hazy images, so the last digits of its mean differ."
        )
        return [told]
    if len(clean) != len(candidate.pairs):
        return [f"{len(candidate.pairs):,} hazy images share {len(clean):,} clean ones, as usual."]
    return []


def _gopro(candidate: Candidate) -> list[str]:
    for place in candidate.places:
        if any(plain(name) == "blurgamma" for name in place.folder.folders):
            return ["blur_gamma lies beside blur and is not used."]
    return []


def _grey(candidate: Candidate) -> list[str]:
    """Look at one file: the same photographs are also passed around without colour."""
    from PIL import Image, UnidentifiedImageError

    first = candidate.pairs[0].clean
    try:
        with Image.open(first) as image:
            grey = image.mode in ("1", "L", "LA", "I", "I;16", "F")
    except (UnidentifiedImageError, OSError):
        return [f"'{first}' cannot be read as an image."]
    if grey:
        return [f"'{first.name}' is grey: the protocol needs the copy of this set in colour."]
    return []
