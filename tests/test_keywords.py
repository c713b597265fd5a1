from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_anyir.degradations import make
from napari_anyir.degrading import degrade_array
from napari_anyir.files import restore_files
from napari_anyir.inference import gate_numbers, restore_with_record

IMAGE = np.zeros((8, 8), np.uint8)


@pytest.mark.parametrize(
    "call",
    [
        lambda folder: restore_with_record(IMAGE, modle="nano"),
        lambda folder: gate_numbers(IMAGE, modle="nano"),
        lambda folder: degrade_array(IMAGE, make("noise"), seed=0, strenght=0.5),
        lambda folder: restore_files([folder], folder / "out", overwirte=True),
    ],
)
def test_a_keyword_that_nothing_takes_is_refused(
    call: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        call(tmp_path)
