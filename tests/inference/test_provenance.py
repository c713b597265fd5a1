"""The record: enough to make a result again, and plain enough for JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

import napari_anyir
from napari_anyir.inference import restore, restore_with_record
from napari_anyir.model import AnyIR


def test_a_result_can_be_made_again_from_its_record(micro_file: Path) -> None:
    image = np.random.default_rng(0).integers(0, 900, (2, 3, 20, 16), np.uint16)
    result, record = restore_with_record(image, axes="TCYX", model=micro_file, strength=0.7)
    kept = json.loads(json.dumps(record.to_dict()))
    again = restore(
        image,
        axes=kept["axes"],
        model=micro_file,
        device=kept["device"],
        precision=kept["precision"],
        intensity=tuple(kept["intensity"]),
        strength=kept["strength"],
    )
    np.testing.assert_array_equal(again, result)


def test_what_it_says(micro_file: Path) -> None:
    image = np.zeros((12, 10, 3), np.uint8)
    _, record = restore_with_record(image, model=micro_file, device="cpu", precision="float32")
    assert record.package == "napari-anyir"
    assert record.version == napari_anyir.__version__
    assert record.model == "micro"
    assert record.sha256 == hashlib.sha256(micro_file.read_bytes()).hexdigest()
    assert (record.device, record.precision) == ("cpu", "float32")
    assert record.mode in ("whole", "strips")
    assert (record.axes, record.planes, record.strength) == ("YXS", 1, 1.0)
    assert record.intensity == (0.0, 255.0)
    assert record.seconds is not None
    assert 0 < record.seconds < 60


def test_nothing_done_is_told_as_such(micro: AnyIR) -> None:
    _, record = restore_with_record(np.zeros((8, 8), np.uint8), model=micro, strength=0)
    assert record.mode is None
    assert record.strength == 0
