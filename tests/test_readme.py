"""What the README says is so."""

import re

from napari_anyir.weights import find_model


def test_measured_numbers_are_those_of_the_card(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    measured = find_model("denoise").measured
    for name, images in (("FMD", 12), ("PolyU", 20)):
        (rows,) = (rows for key, rows in measured.items() if key.startswith(name))
        assert rows["output"]["images"] == images
        before, after = (f"{rows[key]['psnr']:.1f}" for key in ("input", "output"))
        assert re.search(rf"{images} real [a-z ]+: {before} to {after}\b", " ".join(text.split()))


def test_pictures_are_there(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[.*?\]\((docs/.*?)\)", text)
    assert len(pictures) >= 3
    assert all((repository / path).is_file() for path in pictures)


def test_its_links_lead_somewhere(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert len(links) > 10
    assert [link for link in links if not (repository / link).exists()] == []
