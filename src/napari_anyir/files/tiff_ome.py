"""What an OME-TIFF says of its image, read so that it can be written again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from napari_anyir.files.image_file import short_unit

# Tags that stay true of a restored image: who, when, with what, where on Earth, how to print it.
__all__ = ["ome_from_scale", "ome_to_write"]

_PIXELS = (
    "PhysicalSizeX",
    "PhysicalSizeXUnit",
    "PhysicalSizeY",
    "PhysicalSizeYUnit",
    "PhysicalSizeZ",
    "PhysicalSizeZUnit",
    "TimeIncrement",
    "TimeIncrementUnit",
)
_CHANNEL = (
    "Name",
    "Color",
    "Fluor",
    "EmissionWavelength",
    "EmissionWavelengthUnit",
    "ExcitationWavelength",
    "ExcitationWavelengthUnit",
)
_PLANE = (
    "DeltaT",
    "DeltaTUnit",
    "ExposureTime",
    "ExposureTimeUnit",
    *(f"Position{axis}{unit}" for axis in "XYZ" for unit in ("", "Unit")),
)


def _number(text: Any) -> Any:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return text
    return int(value) if value.is_integer() and "." not in str(text) else value


def ome_to_write(xml: str, axes: str = "TZCYX") -> dict[str, Any]:
    """Take from OME-XML what tifffile can write again.

    Name, description and date of the image; physical sizes and time step; names, colours and
    wavelengths of the channels; times and positions of the planes.

    Parameters
    ----------
    xml : str
        OME-XML.
    axes : str
        Axis letters in the order in which the result will be written.

    Returns
    -------
    dict
        ``metadata`` for `tifffile.imwrite`, without axes; empty if the XML is broken.

    Examples
    --------
    >>> ome_to_write('<OME><Image Name="a"><Pixels PhysicalSizeX="0.5"/></Image></OME>')
    {'Name': 'a', 'PhysicalSizeX': 0.5}
    """
    try:
        root = ET.fromstring(xml)  # expat expands no external entities
    except ET.ParseError:
        return {}
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    image = root.find("Image")
    if image is None:
        return {}
    found: dict[str, Any] = {}
    if name := image.get("Name"):
        found["Name"] = name
    for tag in ("AcquisitionDate", "Description"):
        text = image.findtext(tag)
        if text and text.strip():
            found[tag] = text.strip()
    pixels = image.find("Pixels")
    if pixels is None:
        return found
    found |= {name: _number(pixels.get(name)) for name in _PIXELS if pixels.get(name)}
    for tag, names in (("Channel", _CHANNEL), ("Plane", _PLANE)):
        elements = pixels.findall(tag)
        if tag == "Plane":
            elements = _in_order(elements, pixels, axes)
        # An attribute that only some elements have cannot be given as a list, and is left out.
        columns = {
            name: [_number(element.get(name)) for element in elements]
            for name in names
            if elements and all(element.get(name) is not None for element in elements)
        }
        if columns:
            found[tag] = columns
    return found


def _in_order(planes: list[Any], pixels: Any, axes: str) -> list[Any]:
    """Planes as tifffile will number them; none unless all are described."""
    stacked = [letter for letter in axes if letter in "TZC"]
    count = math.prod(int(pixels.get(f"Size{letter}", 1)) for letter in "TZC")
    if len(planes) != count or "S" in axes:
        return []
    return sorted(planes, key=lambda plane: [int(plane.get(f"The{a}", 0)) for a in stacked])


def ome_from_scale(scale: Mapping[str, float], units: Mapping[str, str]) -> dict[str, Any]:
    """Physical sizes as OME-XML names them, for an image that came from another format.

    Parameters
    ----------
    scale : mapping of str to float
        Axis letter to distance.
    units : mapping of str to str
        Axis letter to unit.

    Returns
    -------
    dict
        ``metadata`` for `tifffile.imwrite`, without axes.

    Examples
    --------
    >>> ome_from_scale({"X": 0.1}, {"X": "micrometer"})
    {'PhysicalSizeX': 0.1, 'PhysicalSizeXUnit': 'µm'}
    """
    written: dict[str, Any] = {}
    for axis, value in scale.items():
        name = "TimeIncrement" if axis == "T" else f"PhysicalSize{axis}"
        if axis in "XYZT":
            written[name] = value
            if units.get(axis):
                written[f"{name}Unit"] = short_unit(units[axis])
    return written
