"""A batch and an evaluation on a real cluster of two processes are those of this process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_anyir.cli import app
from napari_anyir.errors import Cancelled
from napari_anyir.files import Settings, read_image, restore_files, write_image
from napari_anyir.files.run_log import LOG_NAME
from napari_anyir.inference.cluster import agree, connect
from napari_anyir.model import AnyIR, AnyIRConfig
from napari_anyir.training.evaluation.evaluate import EvaluationOptions, evaluate
from napari_anyir.training.model_files import write_model

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two workers of a scheduler that is reached by its address, as on several machines."""
    import dask

    with (
        dask.config.set({"distributed.worker.daemon": True}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = AnyIRConfig(dim=4, blocks=(1, 0, 0, 0), refinement=0, heads=(1, 1, 1, 1))
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    write_model(AnyIR(config).eval(), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for index in range(5):
        image = generator.integers(0, 255, (20, 24, 3), np.uint8)
        write_image(tmp_path / "raw" / f"{index}.png", image)
    deep = generator.integers(0, 4000, (2, 20, 24), np.uint16)
    write_image(tmp_path / "raw" / "below" / "deep.tif", deep)
    (tmp_path / "raw" / "bad.png").write_bytes(b"no image")
    return tmp_path


def ends(statuses: Any) -> Counter[str]:
    return Counter({status.index: status.state for status in statuses}.values())


def test_a_batch_on_a_cluster_is_that_of_this_process_and_is_known_again(
    address: str, model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)  # the workers are elsewhere: relative names must hold all the same
    settings = Settings(model=str(model), device="cpu")
    here = list(restore_files(["raw"], "here", settings=settings))
    there = list(restore_files(["raw"], "there", settings=settings, cluster=address))
    assert ends(here) == ends(there) == {"done": 6, "failed": 1}
    for path in (folder / "here").rglob("*.*"):
        if path.name == LOG_NAME:
            continue
        other = folder / "there" / path.relative_to(folder / "here")
        np.testing.assert_array_equal(read_image(other).array, read_image(path).array)
    messages = [
        {s.name: s.message for s in statuses if s.state == "failed"} for statuses in (here, there)
    ]
    assert messages[0].keys() == messages[1].keys() == {"bad.png"}
    # The log is whole: nothing is restored again, here or there.
    for cluster in (None, address):
        again = list(restore_files(["raw"], "there", settings=settings, cluster=cluster))
        assert ends(again) == {"skipped": 6, "failed": 1}
    assert len((folder / "there" / LOG_NAME).read_text().splitlines()) == 6
    assert not list((folder / "there").rglob(".anyir-*"))


def test_a_cancelled_batch_leaves_nothing_half_written(
    address: str, model: Path, tmp_path: Path
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for index in range(12):
        write_image(tmp_path / "raw" / f"{index:02}.png", image)
    settings = Settings(model=str(model), device="cpu")
    cancel = threading.Event()
    run = restore_files(
        [tmp_path / "raw"], tmp_path / "out", settings=settings, cluster=address, cancel=cancel
    )

    def cancelled_after_one() -> None:
        for status in run:
            if status.state == "done":
                cancel.set()

    with pytest.raises(Cancelled):
        cancelled_after_one()
    assert not list((tmp_path / "out").glob(".anyir-*"))
    left = list(restore_files([tmp_path / "raw"], tmp_path / "out", settings=settings))
    assert ends(left)["skipped"] >= 1
    assert sum(ends(left).values()) == 12


def test_the_shell_names_a_cluster(address: str, model: Path, folder: Path) -> None:
    command = ["restore", str(folder / "raw" / "0.png"), "-o", str(folder / "one")]
    result = CliRunner().invoke(
        app, [*command, "--model", str(model), "--device", "cpu", "--cluster", address]
    )
    assert result.exit_code == 0, result.output
    assert "1 restored" in result.stdout


def test_an_evaluation_on_a_cluster_is_that_of_this_process(
    address: str, model: Path, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        image = generator.integers(60, 190, (33, 50, 3), np.uint8)
        write_image(tmp_path / "data" / "CBSD68" / f"{name}.png", image)
    runs = [
        evaluate(
            "dev",
            tmp_path / "data",
            str(model),
            tmp_path / name,
            options=EvaluationOptions(device="cpu", classical=True, cluster=cluster, images=True),
        )[0]
        for name, cluster in (("here", None), ("there", address))
    ]
    rows = [
        [(s.set, s.image, s.method, s.psnr, s.ssim) for s in run.scores().scores] for run in runs
    ]
    assert len(rows[0]) == 3 * 3 * 4
    assert rows[0] == rows[1]
    pictures = [sorted(run.folder.rglob("*.png")) for run in runs]
    assert len(pictures[0]) == len(pictures[1]) > 9
    for one, other in zip(*pictures, strict=True):
        np.testing.assert_array_equal(read_image(one).array, read_image(other).array)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_cluster_that_is_none_is_one_sentence(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_anyir.inference.cluster.ANSWER", 1.0)
    settings = Settings(model=str(model), device="cpu")

    def told(cluster: str) -> str:
        with pytest.raises(ValueError, match=r"\.$") as caught:
            list(restore_files([folder / "raw"], folder / "o", settings=settings, cluster=cluster))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "is no address of a scheduler" in told("node7")
    assert "No scheduler answers" in told(f"tcp://127.0.0.1:{free_port()}")
    port = free_port()
    scheduler = subprocess.Popen(
        [
            *(sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", str(port)),
            *("--host", "127.0.0.1", "--no-dashboard"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert scheduler.stderr is not None
        for line in scheduler.stderr:
            if "Scheduler at" in line:
                break
        monkeypatch.setattr("napari_anyir.inference.cluster.ANSWER", 5.0)
        assert "has no workers" in told(f"tcp://127.0.0.1:{port}")
    finally:
        scheduler.terminate()
        scheduler.wait()
    assert not (folder / "o").exists()


def test_a_worker_with_another_model_is_refused(address: str) -> None:
    # Functions within a function travel whole: a worker cannot import this file.
    here = os.getpid()

    def process() -> int:
        return os.getpid()

    def fails() -> None:
        if os.getpid() != here:
            raise OSError("no such folder")

    with connect(address) as client:
        agree(client, str, "the same")
        with pytest.raises(ValueError, match="A worker of the cluster has other models"):
            agree(client, process)
        with pytest.raises(ValueError, match=r"take part \(tcp.*: OSError: no such folder\)"):
            agree(client, fails)
