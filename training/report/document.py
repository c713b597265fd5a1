"""The report: the paper's tables and figures from results on disk, as Markdown, CSV and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from napari_anyir.training.evaluation.evaluated_runs import Run
from napari_anyir.training.evaluation.mean_table import MeanTable, mean_table
from napari_anyir.training.evaluation.visual_comparison import draw_views, find_views
from napari_anyir.training.report.figures import draw_psnr, draw_quality, draw_samples
from napari_anyir.training.report.measured_results import MeasuredResults, label_of
from napari_anyir.training.report.report_tables import NOT_RUN, report_tables
from napari_anyir.training.report.table_layout import ReportTable
from napari_anyir.training.writing import replace_file, write_text

PAGE, TEXT = "report.html", "report.md"

FIGURES = "figures"
"""Folder of results that holds a folder of Fig. 9 to 13 for each model and image."""

WIDEST = 1500
"""Pixels across a strip on the page."""

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1500px; padding: 0 1em;
       color: #1c1c1c; background: #fff; }
h1, h2, h3 { line-height: 1.2; margin-top: 2em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #e2e2e2;
         white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; max-width: 9em; }
th.name, td.name { text-align: left; position: sticky; left: 0; background: #fff; }
tr.ours td.name { background: #e8f1fb; }
tr.difference td.name { background: #f4f8fd; }
tr.ours { background: #e8f1fb; font-weight: 600; }
tr.difference { background: #f4f8fd; font-style: italic; }
td.absent { color: #8a8a8a; font-weight: 400; }
p.note { color: #555; font-size: 13px; max-width: 90ch; margin: .4em 0; }
.picture { margin: 1em 0; }
img { max-width: 100%; }
"""


def write_report(results: Path, out: Path) -> Path:
    """Write the report of a folder of results.

    Parameters
    ----------
    results : Path
        What ``anyir evaluate`` and ``anyir report --measure`` wrote.
    out : Path
        Folder for ``report.md``, ``report.html``, ``tables/`` and ``pictures/``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FileNotFoundError
        If there is no folder of results.
    ValueError
        If a file in it cannot be used, or ``out`` is a file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.report.document import write_report
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> write_report(folder, folder / "report").name
    'report.html'
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"'{out}' is a file; name a folder for the report.")
    found = MeasuredResults.read(results)
    tables = report_tables(found)
    measured = [(run, mean_table(run)) for run in found.runs if run.means()]
    (out / "tables").mkdir(parents=True, exist_ok=True)
    for table in tables:
        write_text(out / "tables" / f"table-{table.number:02}.csv", table.csv())
    strips = [*_draw_views(found.runs, out), *_copy_strips(found.runs, out)]
    charts = {
        "psnr": draw_psnr([run for run, _ in measured], out / "pictures" / "psnr.png"),
        "samples": draw_samples(out / "pictures" / "samples.png"),
        "quality": draw_quality(found, out / "pictures" / "quality.png"),
    }
    strips = [*_copy_figures(results, out), *strips]
    pixels = _pixel_table(found.samples)
    if pixels is not None:
        write_text(out / "tables" / "degradations.csv", pixels.csv())
    write_text(out / TEXT, _markdown(tables, measured, strips, charts, pixels, out))
    page = out / PAGE
    write_text(page, _html(tables, measured, strips, charts, pixels, out))
    return page


def _draw_views(runs: Sequence[Run], out: Path) -> list[tuple[str, Path]]:
    """Draw what several models of a protocol made of the same images, with a part enlarged."""
    drawn = []
    for protocol in dict.fromkeys(run.protocol for run in runs):
        several = [run for run in runs if run.protocol == protocol]
        if len(several) < 2:
            continue
        for views in find_views(several):
            name = f"{protocol}-views-{views.set_name.replace(' ', '_')}-{views.image}.png"
            path = draw_views(views, out / "pictures" / name)
            drawn.append((f"{protocol}, {views.set_name}, {views.image} (as Fig. 5, 6, 16).", path))
    return drawn


def _copy_strips(runs: Sequence[Run], out: Path) -> list[tuple[str, Path]]:
    """Copy the strips that evaluations kept, at most `WIDEST` across, with what they show."""
    strips = []
    for run in runs:
        for source in sorted((run.folder / "strips").rglob("*.png")):
            name = f"{run.protocol}-{run.folder.name}-{source.parent.name}-{source.stem}.png"
            target = out / "pictures" / name
            with Pillow.open(source) as opened:
                picture = opened.convert("RGB")
            if picture.width > WIDEST:
                height = round(picture.height * WIDEST / picture.width)
                picture = picture.resize((WIDEST, height), Pillow.Resampling.LANCZOS)
            replace_file(target, partial(picture.save, format="PNG"))
            strips.append((_caption(run, source), target))
    return strips


def _copy_figures(results: Path, out: Path) -> list[tuple[str, Path]]:
    """Copy Fig. 9 to 13 where ``anyir report --measure figures`` drew them."""
    figures = []
    for source in sorted((results / FIGURES).rglob("figure-*.png")):
        target = out / "pictures" / f"{source.parent.name}-{source.name}"
        with Pillow.open(source) as opened:
            picture = opened.convert("RGB")
        replace_file(target, partial(picture.save, format="PNG"))
        number = source.stem.removeprefix("figure-").lstrip("0")
        figures.append((f"Fig. {number}, {source.parent.name.replace('-', ' ')}.", target))
    return figures


def _caption(run: Run, source: Path) -> str:
    set_name = next((n for n in run.counts if n.replace(" ", "_") == source.parent.name), "")
    rows = {
        score.method: score
        for score in run.scores().scores
        if score.set == set_name and score.image.replace("/", "_") == source.stem
    }
    numbers = ""
    if {"input", "output"} <= set(rows):
        before, after = rows["input"], rows["output"]
        numbers = (
            f": {before.psnr:.2f} dB, SSIM {before.ssim:.3f}, to {after.psnr:.2f} dB, "
            f"SSIM {after.ssim:.3f}"
        )
    return f"{set_name}, {source.stem}, {label_of(run)}{numbers}. Degraded, restored, clean."


def _pixel_table(samples: Mapping[str, Any]) -> MeanTable | None:
    """Make the table of what degradations do to pixels."""
    if not samples.get("pixels"):
        return None
    columns = (
        *("degradation", "crops", "mean", "degraded", "deviation", "degraded"),
        *("PSNR 5 %", "PSNR 50 %", "PSNR 95 %", "unchanged"),
    )
    rows = tuple(
        (
            one["kind"],
            str(one["crops"]),
            *(
                f"{one[name]:.3f}"
                for name in (
                    "mean_clean",
                    "mean_degraded",
                    "deviation_clean",
                    "deviation_degraded",
                )
            ),
            *(f"{value:.1f}" for value in one["psnr"]),
            str(one["unchanged"]),
        )
        for one in samples["pixels"]
    )
    note = "Crops of 128 x 128 pixels; mean and standard deviation of values in [0, 1]; PSNR in dB."
    return MeanTable(columns, rows, (note,))


MeasuredRuns = Sequence[tuple[Run, MeanTable]]

FIGURE_4 = (
    "Average PSNR over weights (Tab. 1, 2) and over multiply-adds (Tab. 6), as the paper prints "
    "them; ours where they were measured."
)

FIGURE_14 = (
    "Samples of an epoch by task (Fig. 14), as the paper's sets have them: the protocol, and "
    "balanced (Tab. 12)."
)


def _markdown(
    tables: Sequence[ReportTable],
    measured: MeasuredRuns,
    strips: Sequence[tuple[str, Path]],
    charts: Mapping[str, Path | None],
    pixels: MeanTable | None,
    out: Path,
) -> str:
    def picture(caption: str, path: Path) -> str:
        return f"![{caption}]({path.relative_to(out).as_posix()})\n\n{caption}\n"

    parts = ["# The paper's tables, ours beside them\n", *(table.markdown() for table in tables)]
    if charts["quality"]:
        parts += ["## Fig. 4: Quality over cost\n", picture(FIGURE_4, charts["quality"])]
    parts.append("## Fig. 14: Training samples\n")
    if charts["samples"]:
        parts.append(picture(FIGURE_14, charts["samples"]))
    if pixels is not None:
        parts += ["### What the degradations do to pixels\n", pixels.markdown()]
    parts.append("## All that was measured\n")
    if charts["psnr"]:
        parts.append(picture("PSNR of inputs and outputs.", charts["psnr"]))
    for run, table in measured:
        parts += [f"### {run.protocol}: {run.label}\n", table.markdown()]
    if not measured:
        parts.append("Nothing was evaluated: run `anyir evaluate` first.\n")
    if strips:
        parts.append("## Pictures\n")
        parts += [picture(caption, path) for caption, path in strips]
    return "\n".join(parts)


def _html(
    tables: Sequence[ReportTable],
    measured: MeasuredRuns,
    strips: Sequence[tuple[str, Path]],
    charts: Mapping[str, Path | None],
    pixels: MeanTable | None,
    out: Path,
) -> str:
    def picture(caption: str, path: Path) -> str:
        source = escape(path.relative_to(out).as_posix(), quote=True)
        return (
            f'<div class="picture">{_note(caption)}'
            f'<p><img src="{source}" alt="{escape(caption, quote=True)}" loading="lazy"></p></div>'
        )

    body = ["<h1>The paper's tables, ours beside them</h1>"]
    for table in tables:
        body.append(f'<h2 id="tab{table.number}">Tab. {table.number}: {escape(table.title)}</h2>')
        rows = [(row.kind, table.paired(row.cells)) for row in table.rows]
        heads = table.paired(table.columns, head=True)
        body += [_html_table(heads, rows), *map(_note, table.notes)]
    if charts["quality"]:
        body.append('<h2 id="fig4">Fig. 4: Quality over cost</h2>')
        body.append(picture(FIGURE_4, charts["quality"]))
    body.append('<h2 id="fig14">Fig. 14: Training samples</h2>')
    if charts["samples"]:
        body.append(picture(FIGURE_14, charts["samples"]))
    if pixels is not None:
        body.append("<h3>What the degradations do to pixels</h3>")
        body += [_html_table(pixels.columns, [("paper", row) for row in pixels.rows])]
        body += [*map(_note, pixels.notes)]
    body.append('<h2 id="measured">All that was measured</h2>')
    if charts["psnr"]:
        body.append(picture("PSNR of inputs and outputs.", charts["psnr"]))
    for run, means in measured:
        body.append(f"<h3>{escape(run.protocol)}: {escape(run.label)}</h3>")
        body += [_html_table(means.columns, [("paper", row) for row in means.rows])]
        body += [*map(_note, means.notes)]
    if not measured:
        body.append(_note("Nothing was evaluated: run anyir evaluate first."))
    if strips:
        body.append('<h2 id="pictures">Pictures</h2>')
        body += [picture(caption, path) for caption, path in strips]
    joined = "\n".join(body)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>AnyIR: the paper's tables</title><style>{STYLE}</style></head>"
        f"<body>\n{joined}\n</body></html>\n"
    )


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _html_table(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    heads = "".join(_cell("th", text, index) for index, text in enumerate(columns))
    lines = [f"<tr>{heads}</tr>"]
    for kind, cells in rows:
        inner = "".join(_cell("td", text, index) for index, text in enumerate(cells))
        lines.append(f'<tr class="{kind}">{inner}</tr>')
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _cell(tag: str, text: str, index: int) -> str:
    kind = "name" if index == 0 else "absent" if text.startswith(NOT_RUN) else ""
    start = f'<{tag} class="{kind}">' if kind else f"<{tag}>"
    return f"{start}{escape(text)}</{tag}>"
