import csv
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml
from PIL import Image as Pillow

from napari_anyir.model import VARIANTS, AnyIRConfig
from napari_anyir.training.evaluation.evaluated_runs import Count, Run, Switches
from napari_anyir.training.evaluation.mean_table import mean_table
from napari_anyir.training.evaluation.score_files import ImageScore
from napari_anyir.training.measurement.complexity import Complexity, write_complexity
from napari_anyir.training.measurement.timing import Timing, write_timings
from napari_anyir.training.paper.protocols import find_protocol
from napari_anyir.training.report.document import write_report
from napari_anyir.training.report.figures import bar_limits
from napari_anyir.training.report.measured_results import ABLATIONS, MeasuredResults
from napari_anyir.training.report.report_tables import report_tables

EXPECTED = {"SOTS outdoor": 500, "Rain100L": 100, "GoPro": 1111, "LOL-v1": 15}


def evaluated(results, protocol, config, psnr=30.0, images=None, name="mine", **switches):
    """Write a run in which every set has its whole count of images, or ``images``."""
    tests = find_protocol(protocol).tests
    counts = {test.name: Count(n := EXPECTED.get(test.name, 68), n) for test in tests}
    folder = results / protocol / name
    run = Run(folder, protocol, name, "", config.to_dict(), Switches(**switches), counts, "cpu")
    rows = []
    for index, test in enumerate(tests):
        for number in range(images or counts[test.name].found):
            for method, value in (("input", 20.0), ("output", psnr + index)):
                rows.append(ImageScore(test.name, f"{number}", method, value, 0.9, 32, 32, 0.1))
    run.scores().add(rows)
    run.write()
    return run


def table_of(results, number):
    return report_tables(MeasuredResults.read(results))[number - 1]


def rows_of(results, number, kind):
    return [row.cells for row in table_of(results, number).rows if row.kind == kind]


def test_without_results_every_cell_of_ours_is_marked(tmp_path):
    for table in report_tables(MeasuredResults([])):
        ours = [row for row in table.rows if row.kind == "ours"]
        assert table.number == 13 or ours
        assert all("not run" in row.cells for row in ours)
        assert not [row for row in table.rows if row.kind == "difference"]


def test_ours_paper_and_difference(tmp_path):
    evaluated(tmp_path, "3deg", VARIANTS["tiny"], psnr=30.0)
    columns = table_of(tmp_path, 1).columns
    ours = dict(zip(columns, rows_of(tmp_path, 1, "ours")[0], strict=True))
    difference = dict(zip(columns, rows_of(tmp_path, 1, "difference")[0], strict=True))
    assert ours["method"] == "ours: mine"
    assert ours["SOTS outdoor PSNR"] == "30.00"
    assert difference["SOTS outdoor PSNR"] == "-1.70"  # 31.70 is printed
    assert ours["average PSNR"] == "32.00"  # 30, 31, 32, 33, 34
    assert difference["average PSNR"] == "-0.80"
    assert difference["average SSIM"] == "-0.019"
    assert ours["parameters (M)"] == "5.74"
    # the same run fills the rows of the full network in the ablations
    for number, column in ((7, "average PSNR"), (10, "average PSNR"), (12, "average PSNR")):
        head = table_of(tmp_path, number).columns.index(column)
        filled = [cells[head] for cells in rows_of(tmp_path, number, "ours")]
        assert filled.count("32.00") == 1
        assert set(filled) == {"32.00", "not run"}


def test_parts_of_sets_are_marked_and_not_held_against_the_paper(tmp_path):
    evaluated(tmp_path, "3deg", VARIANTS["tiny"], images=3)
    (ours, *_) = rows_of(tmp_path, 1, "ours")
    assert "30.00 (3 of 500)" in ours
    assert not rows_of(tmp_path, 1, "difference")


def test_small_copies_of_sots_still_compare(tmp_path):
    run = evaluated(tmp_path, "dehaze", VARIANTS["tiny"])
    assert run.comparable("SOTS outdoor", 492)
    assert not run.comparable("SOTS outdoor", 400)


def test_both_averages_of_the_5deg_row_are_reported(tmp_path):
    evaluated(tmp_path, "5deg", VARIANTS["tiny"])
    notes = " ".join(table_of(tmp_path, 2).notes)
    assert "30.71 for AnyIR-T; the mean of its own cells is 30.55" in notes


def test_ablations_land_in_their_rows_alone(tmp_path):
    for number, rows in ABLATIONS.items():
        for index, config in enumerate(rows.values()):
            if config != VARIANTS["tiny"]:
                name = f"tab{number}-{index}"
                evaluated(tmp_path, "3deg", config, psnr=25 + index, images=1, name=name)
    for number, rows in ABLATIONS.items():
        found = table_of(tmp_path, number)
        at = -1
        for method, config in rows.items():
            at = next(i for i, row in enumerate(found.rows) if row.cells[0] == method)
            expected = (
                "ours: tiny"
                if config == VARIANTS["tiny"]
                else f"ours: tab{number} {list(rows).index(method)}"
            )
            assert found.rows[at + 1].cells[0].replace("-", " ") == expected
    assert rows_of(tmp_path, 1, "ours")[0][0] == "ours: tiny"  # none is in Tab. 1


def test_ablations_are_those_of_the_recipes():
    from importlib.resources import files

    names = {
        7: dict(zip(("(a)", "(b)", "(c)", "(d)"), "abcd", strict=True)),
        8: dict(zip(ABLATIONS[8], ("no-alpha", "no-beta", "no-gamma", "quarters"), strict=True)),
        10: {"Spatial only": "spatial", "Frequency only": "frequency", "Fixed (0.5)": "fixed"},
    }
    folder = files("napari_anyir.training") / "recipes"
    for number, rows in names.items():
        for method, end in rows.items():
            values = yaml.safe_load((folder / f"tab{number}-{end}.yaml").read_text())
            network = {**VARIANTS["tiny"].to_dict(), **values["network"]}
            assert values["base"] == "3deg"
            assert AnyIRConfig.from_dict(network) == ABLATIONS[number][method]


def test_counts_fill_tables_6_9_and_11(tmp_path):
    found = [
        Complexity("tiny", 5_736_376, 5_736_376, 26_253_000_000, 4096 * 2**20),
        Complexity("PromptIR [4,6,6,8]", 35_592_263, 35_376_967, 132_227_000_000, 2**30),
        Complexity("PromptIR, no prompt [1,3,3,5]", 22_899_304, 1, 68_425_376_544, 2**30),
    ]
    write_complexity(found, tmp_path)
    six = rows_of(tmp_path, 6, "ours")
    assert six[0][1:5] == ("not run", "1024 (tensors)", "35.59", "132.23")
    assert six[1][1:5] == ("not run", "4096 (tensors)", "5.74", "26.25")
    assert ("difference", "", "-", "+0.00", "+0.25", "") in rows_of(tmp_path, 6, "difference")
    write_complexity(
        [Complexity("tiny", 1, 1, 1, 1, 224, 5000 * 2**20, "a card")], tmp_path / "gpu"
    )
    assert rows_of(tmp_path / "gpu", 6, "ours")[1][2] == "5000"
    assert rows_of(tmp_path / "gpu", 6, "difference")[0][2] == "+31"
    nine = [cells for cells in rows_of(tmp_path, 9, "ours") if "68.43" in cells]
    assert len(nine) == 1
    assert "22.90" in nine[0]
    assert ("difference", "", "", "", "", "+0.00", "+0.25") in rows_of(tmp_path, 11, "difference")


def test_times_have_the_whole_run_and_the_network_apart(tmp_path):
    timings = [
        Timing("tiny", "cpu", "Rain100L", 100, 100, 50.0, 40.0, 9),
        Timing("tiny", "cpu", "CBSD68 sigma 15", 3, 68, 2.5, 1.5, 9),
    ]
    write_timings(timings, tmp_path)
    table = table_of(tmp_path, 13)
    rows = {row.cells[0]: row.cells for row in table.rows}
    assert rows["Rain100L"] == ("Rain100L", "100", "60", "43", "100", "50.0", "40.0")
    assert rows["CBSD68 sigma 15"][4:] == ("3 of 68", "2.5", "1.5")
    assert rows["SOTS outdoor"][4:] == ("not run",) * 3
    assert rows["images per second"][4:] == ("103", "1.96", "2.48")


class Page(HTMLParser):
    """Checks that what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures, self.tables = [], [], 0
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.pictures.append(dict(attributes))
        elif tag != "meta":
            self.open.append(tag)
        self.tables += tag == "table"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.slow
def test_the_report_on_disk(tmp_path):
    run = evaluated(tmp_path / "results", "3deg", VARIANTS["tiny"], name="<mine>")
    strip = run.folder / "strips" / "Rain100L" / "0.png"
    strip.parent.mkdir(parents=True)
    Pillow.fromarray(np.zeros((40, 2000, 3), np.uint8)).save(strip)
    page = write_report(tmp_path / "results", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.part"))
    text = page.read_text()
    found = Page(text)
    assert found.tables == 13 + 1  # and all that was measured
    assert "&lt;mine&gt;" in text
    assert "<mine>" not in text
    names = [picture["src"] for picture in found.pictures]
    assert len(names) == 4  # Fig. 4, Fig. 14, PSNR, the strip
    for picture in found.pictures:
        assert picture["alt"]
        with Pillow.open(tmp_path / "out" / picture["src"]) as image:
            assert image.width <= 1500
            assert np.asarray(image).size
    assert "Rain100L, 0, <mine>: 20.00 dB" in (tmp_path / "out" / "report.md").read_text()
    with (tmp_path / "out" / "tables" / "table-01.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["whose"] for row in rows} == {"paper", "ours", "difference"}
    markdown = (tmp_path / "out" / "report.md").read_text()
    assert all(f"## Tab. {number}: " in markdown for number in range(1, 14))


def test_broken_results_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="anyir evaluate"):
        write_report(tmp_path / "none", tmp_path / "out")
    (tmp_path / "results" / "3deg" / "x").mkdir(parents=True)
    (tmp_path / "results" / "3deg" / "x" / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="does not describe an evaluation"):
        write_report(tmp_path / "results", tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        write_report(tmp_path, tmp_path / "file")


def test_ablations_of_any_size_land_in_their_rows_with_a_warning(tmp_path):
    nano = VARIANTS["nano"].to_dict()
    config = AnyIRConfig.from_dict({**nano, "fusion": "none", "split": "half"})
    evaluated(tmp_path, "3deg", config, psnr=25.0, name="small-c")
    table = table_of(tmp_path, 7)
    at = next(i for i, row in enumerate(table.rows) if row.cells[0] == "(c)")
    assert table.rows[at + 1].cells[0] == "ours: small-c"
    assert "27.00" in table.rows[at + 1].cells
    assert any("'small-c' is another size than AnyIR-T" in note for note in table.notes)


def test_a_model_of_another_size_or_setting_is_warned_of(tmp_path):
    run = evaluated(tmp_path, "3deg", VARIANTS["nano"], name="mine")
    run = Run(**{**vars(run), "training": {"recipe": "bundled-nano"}})
    run.write()
    notes = " ".join(table_of(tmp_path, 1).notes)
    assert "Warning: 'mine' is another size than AnyIR-T: 1.54 M weights, not 5.74 M." in notes
    assert "Warning: 'mine' was trained as 'bundled-nano', not as 3deg." in notes
    told = " ".join(mean_table(run).notes)
    assert "another size" in told
    assert "these were trained as 'bundled-nano'" in told
    right = evaluated(tmp_path / "b", "3deg", VARIANTS["tiny"], name="mine")
    Run(**{**vars(right), "training": {"recipe": "3deg"}}).write()
    assert "Warning" not in " ".join(table_of(tmp_path / "b", 1).notes)


def test_wide_tables_pair_their_metrics_and_keep_every_number(tmp_path):
    evaluated(tmp_path, "cdd11", VARIANTS["tiny"])
    table = table_of(tmp_path, 3)
    heads = table.paired(table.columns, head=True)
    assert len(table.columns) > 24 > len(heads)
    for row in table.rows:
        shown = table.paired(row.cells)
        assert len(shown) == len(heads)
        if row.kind == "paper":
            assert set(" / ".join(shown).split(" / ")) == set(row.cells)
    assert all(line.count("|") == len(heads) + 1 for line in table.markdown().split("\n")[2:6])


def test_bars_begin_where_differences_are_seen():
    assert bar_limits([24.8, 32.4])[0] == 20
    assert bar_limits([38.0, 39.3])[0] == 35
    assert bar_limits([7.7, 19.3])[0] == 0
    floor, end = bar_limits([26.0, 31.46])
    assert floor < 26 < 31.46 < end


@pytest.mark.slow
def test_figures_and_the_chart_of_quality_are_in_the_report(tmp_path):
    evaluated(tmp_path / "results", "3deg", VARIANTS["tiny"])
    folder = tmp_path / "results" / "figures" / "rain-nano"
    folder.mkdir(parents=True)
    Pillow.fromarray(np.zeros((40, 60, 3), np.uint8)).save(folder / "figure-09.png")
    page = write_report(tmp_path / "results", tmp_path / "out")
    sources = [picture["src"] for picture in Page(page.read_text()).pictures]
    assert "pictures/quality.png" in sources
    assert "pictures/rain-nano-figure-09.png" in sources
    assert "Fig. 9, rain nano." in (tmp_path / "out" / "report.md").read_text()
    with Pillow.open(tmp_path / "out" / "pictures" / "quality.png") as chart:
        assert chart.width > 1000
