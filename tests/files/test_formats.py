"""The table of formats: every line can be followed, and agrees with what fits files to formats."""

from __future__ import annotations

import importlib
from itertools import chain

import pytest

from napari_anyir.files.fitting import KINDS
from napari_anyir.files.formats import FORMATS, PICTURES, TABLE, FileFormat, format_of


@pytest.mark.parametrize("line", TABLE.values(), ids=TABLE)
def test_every_line_can_be_followed(line: FileFormat) -> None:
    for place in (line.reader, line.writer):
        module, name = place.split(":")
        assert callable(getattr(importlib.import_module(f"napari_anyir.files.{module}"), name))
    assert line.keeps <= set(KINDS)
    assert line.texts is None or "text" in line.keeps
    assert {format_of(f"a{suffix.upper()}") for suffix in line.suffixes} == {line.name}
    assert (line.reader == "pictures:read_picture") == (line.name in PICTURES)


def test_no_extension_belongs_to_two() -> None:
    assert len(FORMATS) == len(list(chain.from_iterable(line.suffixes for line in TABLE.values())))
