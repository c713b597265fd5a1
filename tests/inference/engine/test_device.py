from __future__ import annotations

import pytest
import torch

from napari_anyir.inference.engine.device import (
    available_devices,
    resolve_device,
    resolve_precision,
)


def test_auto_is_the_first_device_present() -> None:
    assert str(resolve_device("auto")) == available_devices()[0]


def test_a_device_object_is_taken_as_it_is() -> None:
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "warp", "meta"])
def test_a_device_that_is_not_there_is_refused_naming_those_present(name: str) -> None:
    with pytest.raises(ValueError, match=rf"no device '{name}'.*cpu"):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a CUDA card")
def test_cuda_without_a_card_is_an_error_not_the_cpu() -> None:
    with pytest.raises(ValueError, match="no device 'cuda'"):
        resolve_device("cuda")


def test_precision() -> None:
    cpu = torch.device("cpu")
    assert resolve_precision("auto", cpu) == "float32"
    assert resolve_precision("auto", torch.device("cuda")) == "float16"
    assert resolve_precision("bfloat16", cpu) == "bfloat16"
    with pytest.raises(ValueError, match="float32, bfloat16, float16"):
        resolve_precision("float64", cpu)
