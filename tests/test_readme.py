"""What the README says is so."""

import re
import subprocess
import sys

import pytest

import napari_anyir


def test_measured_numbers_are_those_of_the_card(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    if "<!-- measured" not in text:
        pytest.skip("the numbers stand in the documents, made from the cards")
    measured = napari_anyir.list_models()[0].measured
    assert measured
    for name, rows in measured.items():
        (row,) = re.findall(rf"^\| {re.escape(name)} \(.*$", text, re.MULTILINE)
        for key in ("input", "output"):
            assert f"{rows[key]['psnr']:.2f} / {rows[key]['ssim']:.3f}" in row


@pytest.mark.slow
def test_scripts_run(repository, tmp_path):
    text = (repository / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    if not blocks:
        pytest.skip("the scripts stand in the documents, whose blocks are run")
    subprocess.run([sys.executable, "-c", "\n".join(blocks)], check=True, cwd=tmp_path)


def test_pictures_are_there(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[.*?\]\((docs/.*?)\)", text)
    assert len(pictures) >= 3
    assert all((repository / path).is_file() for path in pictures)
