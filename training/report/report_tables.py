"""The paper's Tab. 1 to 13 with our numbers below the paper's, and the differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_anyir.model import VARIANTS
from napari_anyir.training.evaluation.comparability import is_ablation, setting_note, size_note
from napari_anyir.training.measurement.timing import PROMPTIR, Timing
from napari_anyir.training.paper.protocols import find_protocol
from napari_anyir.training.paper.table_files import (
    AVERAGE,
    PaperTable,
    paper_row,
    paper_tables,
)
from napari_anyir.training.paper.table_files import Cell as Printed
from napari_anyir.training.report.measured_results import (
    ABLATIONS,
    Cell,
    MeasuredResults,
    Ours,
    complexity_cells,
    label_of,
    rows_of_sets,
    set_cells,
)
from napari_anyir.training.report.table_layout import (
    DIGITS,
    ReportRow,
    ReportTable,
    format_value,
    head_of,
    is_number,
)

NOT_RUN = "not run"

Row = dict[str, Printed]

OURS = ("AnyIR-T", "AnyIR-S", "AnyIR")


def build_table(table: PaperTable, ours: Callable[[Row], list[Ours]]) -> ReportTable:
    """Set our rows below the paper's.

    Parameters
    ----------
    table : PaperTable
        As printed.
    ours : callable
        From a row of the paper, by column, to rows of ours; none for methods of others.

    Returns
    -------
    ReportTable
        With a difference below each row of ours; cells without a measurement are "not run".
    """
    rows = []
    for printed in table.rows:
        row: Row = dict(zip(table.columns, printed, strict=True))
        shown = tuple(format_value(v, c) for c, v in row.items())
        rows.append(ReportRow("paper", shown))
        for one in ours(row):
            cells, differences = [f"ours: {one.label}"], ["difference"]
            for column in table.columns[1:]:
                found, paper = one.cells.get(column), row[column]
                if not is_number(column):
                    cells.append("")
                    differences.append("")
                elif found is None:
                    cells.append(NOT_RUN if paper is not None else "")
                    differences.append("")
                else:
                    digits = DIGITS[column.rsplit(" ", 1)[-1]]
                    note = f" ({found.note})" if found.note else ""
                    cells.append(f"{found.value:.{digits}f}{note}")
                    differences.append(_difference(found, paper, digits))
            rows.append(ReportRow("ours", tuple(cells)))
            if any(cell not in ("", "-") for cell in differences[1:]):
                rows.append(ReportRow("difference", tuple(differences)))
    heads = tuple(head_of(column) for column in table.columns)
    return ReportTable(table.number, table.title, heads, tuple(rows), ())


def _difference(found: Cell, paper: Printed, digits: int) -> str:
    if not isinstance(paper, int | float) or not found.fair:
        return "-"
    # Adding zero makes a rounded -0.0 positive.
    return f"{round(found.value - paper, digits) + 0.0:+.{digits}f}"


SET_PROTOCOLS = {
    1: ("3deg", "dev"),
    2: ("5deg",),
    3: ("cdd11",),
    4: ("zeroshot-snow",),
    5: ("zeroshot-underwater",),
}


SETTINGS = {1: "3deg", 2: "5deg", 3: "cdd11", 4: "3deg", 5: "5deg"}
"""How the paper trained what Tab. 1 to 5 measure."""


def report_tables(measured: MeasuredResults) -> list[ReportTable]:
    """Make all tables of the paper.

    Parameters
    ----------
    measured : MeasuredResults
        What was measured.

    Returns
    -------
    list of ReportTable
        Tab. 1 to 13; what was not measured is marked as "not run".

    Examples
    --------
    >>> from napari_anyir.training.report.measured_results import MeasuredResults
    >>> tables = report_tables(MeasuredResults([]))
    >>> [table.number for table in tables] == list(range(1, 14))
    True
    >>> tables[3].rows[-1].cells
    ('ours: any model', 'not run', 'not run')
    """
    return [_table(table, measured) for table in paper_tables()]


def _table(table: PaperTable, measured: MeasuredResults) -> ReportTable:
    number = table.number
    if number == 13:
        return _times(table, measured)

    def ours(row: Row) -> list[Ours]:
        return _ours(number, row, measured)

    made = build_table(table, ours)
    return ReportTable(number, made.title, made.columns, made.rows, _notes(table, measured))


def _ours(number: int, row: Row, measured: MeasuredResults) -> list[Ours]:
    method = str(row["method"])
    variant = {"AnyIR-T": "tiny", "AnyIR-S": "small"}.get(method, "")
    if number in SET_PROTOCOLS:
        if method not in OURS:
            return []
        found = rows_of_sets(measured, method, *SET_PROTOCOLS[number])
        named = [run for run in measured.of(*SET_PROTOCOLS[number]) if run.variant == variant]
        absent = not found if not variant else not named
        return found + [Ours(variant or "any model", {})] * absent
    if number in ABLATIONS:
        config = ABLATIONS[number][method]
        runs = measured.of_switches(config, "3deg")
        return [Ours(label_of(run), set_cells(run)) for run in runs] or [Ours("tiny", {})]
    if number == 12:
        protocol = {"AnyIR (original)": "3deg", "AnyIR (new)": "3deg-balanced"}.get(method)
        if protocol is None:
            return []
        runs = measured.of_switches(VARIANTS["tiny"], protocol)
        return [Ours(label_of(run), set_cells(run)) for run in runs] or [Ours("tiny", {})]
    if number in (6, 9, 11):
        return _counted(number, row, variant, measured)
    return []


def _counted(number: int, row: Row, variant: str, measured: MeasuredResults) -> list[Ours]:
    """Rows of Tab. 6, 9 and 11: what was counted, and the PSNR of the run that belongs to it."""
    method = str(row["method"])
    if variant:
        cells = complexity_cells(measured.complexity.get(variant))
        protocol = {6: "3deg", 9: "derain"}.get(number, "")
        runs = measured.of_config(VARIANTS[variant], protocol)
        return [Ours(label_of(run), {**set_cells(run), **cells}) for run in runs] or [
            Ours(variant, cells)
        ]
    if method.startswith(PROMPTIR) and "fixed" not in method:
        name = f"{method} {row.get('blocks', '[4,6,6,8]')}"
        return [Ours("built for counting", complexity_cells(measured.complexity.get(name)))]
    return []


def _notes(table: PaperTable, measured: MeasuredResults) -> tuple[str, ...]:
    notes = []
    protocols = SET_PROTOCOLS.get(table.number, ("3deg", "3deg-balanced", "derain"))
    for method in OURS if table.number in SET_PROTOCOLS else ():
        printed = table.value(method, f"{AVERAGE} psnr")
        again = table.mean_of_cells(method, "psnr")
        if isinstance(printed, float) and again is not None and abs(printed - again) > 0.01:
            notes.append(
                f"The paper prints an average PSNR of {printed:.2f} for {method}; the mean of its "
                f"own cells is {again:.2f}. Differences are to the printed one."
            )
    ssims = sorted({run.describe() for run in measured.of(*protocols)})
    if any(column.endswith(" ssim") for column in table.columns) and ssims:
        notes += [f"Ours: {words}" for words in ssims]
    notes += _warnings(table, measured)
    if table.number in (6, 9, 11):
        notes.append(
            "Ours at 1 x 3 x 224 x 224: multiply-adds by torch.utils.flop_counter, halved; memory "
            "is the peak of a train-mode forward pass in MiB: tensors alone, or, held against the "
            "paper's, the CUDA allocator's. PromptIR's counts include weights that stand idle."
        )
    if table.number == 8:
        notes.append("These networks have a hidden width of 2c, as the shares need whole widths.")
    return tuple(notes)


def _warnings(table: PaperTable, measured: MeasuredResults) -> list[str]:
    """Tell of cells whose model is of another size, or was trained in another setting."""
    number = table.number
    notes: list[str] = []
    for protocol in SET_PROTOCOLS.get(number, ()):
        needed = find_protocol(protocol).trained_by or SETTINGS[number]
        for run in measured.of(protocol):
            if not is_ablation(run):
                row = paper_row(run.protocol, run.variant)
                notes += [size_note(run, row), setting_note(run, needed)]
    for config in ABLATIONS.get(number, {}).values():
        for run in measured.of_switches(config, "3deg"):
            notes += [size_note(run, "AnyIR-T"), setting_note(run, "3deg")]
    if number == 12:
        for protocol in ("3deg", "3deg-balanced"):
            for run in measured.of_switches(VARIANTS["tiny"], protocol):
                notes += [size_note(run, "AnyIR-T"), setting_note(run, protocol)]
    return list(dict.fromkeys(filter(None, notes)))


def _times(table: PaperTable, measured: MeasuredResults) -> ReportTable:
    """Tab. 13: one line per set, whole run and network apart for each model that was timed."""
    models = list(dict.fromkeys((one.model, one.device) for one in measured.timings))
    columns = ["set", "images", "PromptIR paper (s)", "AnyIR-T paper (s)"]
    for model in [model for model, _ in models] or ["tiny"]:
        columns += [f"{model}: images", f"{model} whole run (s)", f"{model} network alone (s)"]
    by = {(one.model, one.device, one.set): one for one in measured.timings}
    rows = []
    for name, images, promptir, anyir in table.rows[:-1]:
        cells = [str(name), str(images), str(promptir), str(anyir)]
        for model, device in models or [("", "")]:
            cells += _time_cells(by.get((model, device, str(name))))
        rows.append(ReportRow("paper", tuple(cells)))
    last = [str(table.rows[-1][0]), "", *(f"{cell}" for cell in table.rows[-1][2:])]
    for model, device in models or [("", "")]:
        sets = [str(row[0]) for row in table.rows[:-1]]
        last += _rates([by[model, device, name] for name in sets if (model, device, name) in by])
    rows.append(ReportRow("paper", tuple(last)))
    notes = [
        "Whole run: reading, adding noise, restoring, PSNR and SSIM.",
        "Network alone: latency on the same images, warmed up, with the device's work finished.",
        *(f"{model} on {device}." for model, device in models),
    ]
    return ReportTable(13, table.title, tuple(columns), tuple(rows), tuple(notes))


def _time_cells(one: Timing | None) -> list[str]:
    if one is None:
        return [NOT_RUN] * 3
    count = f"{one.images} of {one.expected}" if one.expected != one.images else str(one.images)
    return [count, f"{one.whole_seconds:.1f}", f"{one.network_seconds:.1f}"]


def _rates(timings: Sequence[Timing]) -> list[str]:
    if not timings:
        return [NOT_RUN] * 3
    images = sum(one.images for one in timings)
    return [
        str(images),
        f"{images / sum(one.whole_seconds for one in timings):.2f}",
        f"{images / sum(one.network_seconds for one in timings):.2f}",
    ]
