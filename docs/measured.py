"""Write the table of measured numbers into the README: ``python docs/measured.py``."""

from __future__ import annotations

import re
from pathlib import Path

import napari_anyir

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(<!-- measured: [^>]*-->\n).*(<!-- end -->)", re.DOTALL)


def table() -> str:
    """Return Markdown: input, output and scikit-image's denoisers on every measured set."""
    card = napari_anyir.list_models()[0]
    lines = [
        f"| set (images) | input | `{card.name}` | gain | wavelet | bilateral |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in card.measured.items():
        cells = [f"{name} ({rows['input']['images']})"]
        for key in ("input", "output"):
            cells.append(f"{rows[key]['psnr']:.2f} / {rows[key]['ssim']:.3f}")
        cells.append(f"{rows['output']['psnr'] - rows['input']['psnr']:+.2f} dB")
        for key in ("wavelet", "bilateral"):
            cells.append(f"{rows[key]['psnr']:.2f}" if key in rows else "-")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Replace what is between the two marks."""
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(rf"\g<1>{table()}\g<2>", text), encoding="utf-8")


if __name__ == "__main__":
    main()
