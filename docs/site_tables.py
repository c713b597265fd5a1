"""Make the tables of the site from what was measured: model cards and benchmarks/results.

``docs/conf.py`` calls it for each build, so that no page quotes a number by hand that a file holds;
``python docs/site_tables.py`` prints them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import napari_anyir
from napari_anyir.weights.card import ModelCard

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
BUNDLED = ("denoise", "nano", "tiny")


def rows_of(lines: list[list[str]]) -> str:
    """Join cells into a Markdown table; the first line is its head."""
    head, *rest = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rest])


def number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def scores(row: dict[str, Any] | None) -> str:
    """Write PSNR, and SSIM where it was measured."""
    if not row:
        return "-"
    return " / ".join(
        f"{row[key]:.{digits}f}" for key, digits in (("psnr", 2), ("ssim", 3)) if key in row
    )


def measured(card: ModelCard) -> str:
    """Make the table of a card's measured numbers."""
    methods = [key for rows in card.measured.values() for key in rows]
    others = [name for name in dict.fromkeys(methods) if name not in ("input", "output")]
    lines = [["set (images)", "input", f"`{card.name}`", "gain", *others]]
    for name, rows in card.measured.items():
        before, after = rows.get("input"), rows["output"]
        gain = f"{after['psnr'] - before['psnr']:+.2f} dB" if before else "-"
        cells = [f"{name} ({after['images']})", scores(before), scores(after), gain]
        lines.append([*cells, *(scores(rows.get(other)) for other in others)])
    return rows_of(lines)


def card_text(card: ModelCard) -> str:
    """Tell what a card holds, without the list of photographs."""
    facts = [
        ["what", "value"],
        ["parameters", number(card.parameters)],
        ["licence", card.licence],
        ["SHA-256", f"`{card.sha256}`"],
    ]
    for key in (
        "recipe",
        "data",
        "degradations",
        "steps",
        "crops",
        "crop_sizes",
        "hours",
        "hardware",
    ):
        if key in card.training:
            facts.append([key.replace("_", " "), number(card.training[key])])
    text = [f"## `{card.name}`", card.summary, f"Limits: {card.limits}", rows_of(facts)]
    if card.measured:
        text += [
            "PSNR in dB, and SSIM where it was measured, as the card has them:",
            measured(card),
        ]
    sources = card.training.get("sources", [])
    if sources:
        text.append(
            f"`anyir models info {card.name}` lists its {len(sources)} sources of photographs "
            "with their licences."
        )
    return "\n\n".join(text)


def models() -> str:
    cards = {card.name: card for card in napari_anyir.list_models()}
    return "\n\n".join(card_text(cards[name]) for name in BUNDLED)


def inference() -> str:
    """Make the table of benchmarks/results/inference.json."""
    found = json.loads((RESULTS / "inference.json").read_text(encoding="utf-8"))
    machine = found["machine"]
    lines = [["way", "side", "threads", "seconds", "microseconds per pixel", "memory, GB"]]
    for row in found["rows"]:
        seconds = sorted(row["seconds"])[len(row["seconds"]) // 2]
        per_pixel = 1e6 * seconds / row["size"] ** 2
        memory = max(row["peak_bytes"]) / 1e9
        lines.append(
            [
                row["way"],
                number(row["size"]),
                number(row["threads"]),
                f"{seconds:.2f}",
                f"{per_pixel:.1f}",
                f"{memory:.2f}",
            ]
        )
    about = (
        f"`{found['variant']}` on {machine['cores']} cores ({machine['cpu_capability']}), "
        f"torch {machine['torch']}, float32; the median where a row was measured several times."
    )
    return f"{about}\n\n{rows_of(lines)}"


def loading() -> str:
    """Make the table of benchmarks/results/loading.json."""
    found = json.loads((RESULTS / "loading.json").read_text(encoding="utf-8"))
    lines = [["way", "workers", "crops per second", "crops per processor second"]]
    for row in found["rows"]:
        values = (row["per_second"], row["per_processor_second"])
        lines.append(
            [row["way"], str(row["workers"]) or "-", *(f"{value:.1f}" for value in values)]
        )
    about = (
        f"{found['photographs']} photographs, crops of {found['side']}, {found['machine']}, "
        f"torch {found['torch']}."
    )
    return f"{about}\n\n{rows_of(lines)}"


TABLES = {"models": models, "inference": inference, "loading": loading}


def write(folder: Path) -> None:
    """Write each table into a file of its own, from which pages include it."""
    folder.mkdir(exist_ok=True)
    for name, make in TABLES.items():
        (folder / f"{name}.md").write_text(make() + "\n", encoding="utf-8")


if __name__ == "__main__":
    for maker in TABLES.values():
        print(maker(), end="\n\n")
