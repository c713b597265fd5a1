import pytest

from napari_anyir.training.paper.protocols import PROTOCOLS, find_protocol
from napari_anyir.training.paper.table_files import (
    TABLES,
    paper_row,
    paper_table,
    paper_tables,
    paper_value,
)

# What the paper prints against the mean of its own cells. NDR's and Art-PromptIR's are as printed;
# nothing in the paper says which number is wrong.
DIFFERING = {
    (1, "NDR", "psnr"): (25.01, 27.28),
    (1, "Art-PromptIR", "psnr"): (32.49, 32.48),
    (2, "AnyIR-T", "psnr"): (30.71, 30.55),
}


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("metric", ["psnr", "ssim"])
def test_printed_averages_are_the_means_of_their_rows_but_for_those_known(number, metric):
    table = paper_table(number)
    tolerance = {"psnr": 0.01, "ssim": 0.001}[metric] + 1e-9
    differing = {}
    for row in table.rows:
        method = str(row[0])
        printed, again = (
            table.value(method, f"average {metric}"),
            table.mean_of_cells(method, metric),
        )
        if printed is not None and abs(printed - again) > tolerance:
            differing[number, method, metric] = (printed, round(again, 2))
    assert differing == {k: v for k, v in DIFFERING.items() if k[0] == number and k[2] == metric}


def test_venues_are_those_that_the_paper_prints():
    assert paper_table(2).value("MambaIR", "venue") == "ECCV'24"


def test_every_row_is_as_long_as_its_head():
    for table in paper_tables():
        assert table.columns[0] == "method"
        assert len(set(table.columns)) == len(table.columns)
        assert all(len(row) == len(table.columns) for row in table.rows)
    assert [table.number for table in paper_tables()] == list(range(1, 14))


def test_numbers_are_plausible():
    for table in paper_tables():
        for row in table.rows:
            for column, cell in zip(table.columns, row, strict=True):
                if cell is not None and column.endswith(" psnr"):
                    assert 15 < cell < 40, (table.number, row[0], column)
                if cell is not None and column.endswith(" ssim"):
                    assert 0.4 < cell < 1, (table.number, row[0], column)


def test_tables_agree_with_each_other():
    """Tab. 6, 7, 8, 10 and 12 print the averages of Tab. 1 again; one SSIM of Tab. 12 differs."""
    first = paper_table(1)
    for method in ("AirNet", "PromptIR", "MoCE-IR-S", "AnyIR-T", "AnyIR-S"):
        average = first.value(method, "average psnr")
        assert paper_table(6).value(method, "average psnr") == average
    tiny = first.value("AnyIR-T", "average psnr")
    assert paper_table(7).value("(e)", "average psnr") == tiny
    assert paper_table(8).value("(1/4, 1/4, 1/2)", "average psnr") == tiny
    assert paper_table(10).value("Learnable", "average psnr") == tiny
    assert paper_table(12).value("AnyIR (original)", "average psnr") == tiny
    assert first.value("AnyIR-T", "average ssim") == 0.919
    assert paper_table(12).value("AnyIR (original)", "average ssim") == 0.920  # not the same
    for number in (9, 11):
        assert paper_table(number).value("AnyIR-T", "parameters") == 5.74


def test_denoising_means_of_table_12_are_those_of_table_1():
    for method, row in (("PromptIR", "PromptIR"), ("AnyIR-T", "AnyIR (original)")):
        for metric, tolerance in (("psnr", 0.01), ("ssim", 0.001)):
            cells = [
                paper_table(1).value(method, f"CBSD68 sigma {sigma} {metric}")
                for sigma in (15, 25, 50)
            ]
            printed = paper_table(12).value(row, f"denoising {metric}")
            assert sum(cells) / 3 == pytest.approx(printed, abs=tolerance)


def test_frames_per_second_of_table_13_are_804_images_over_the_seconds():
    table = paper_table(13)
    sets = table.rows[:-1]
    assert sum(row[1] for row in sets) == 804
    for at, printed in ((2, 1.34), (3, 1.97)):
        assert round(804 / sum(row[at] for row in sets), 2) == pytest.approx(printed, abs=0.011)


def test_paper_numbers_belong_to_sets_of_the_protocols():
    """A set that is spelt otherwise in the table than in the protocol would silently lack it."""
    for protocol in ("3deg", "5deg", "cdd11", "zeroshot-snow", "zeroshot-underwater"):
        names = [test.name for test in find_protocol(protocol).tests]
        assert paper_table(TABLES[protocol]).sets() == names
        for name in names:
            assert paper_value(protocol, "small", name, "psnr") is not None
    assert set(TABLES) <= set(PROTOCOLS)


def test_the_paper_column_is_empty_where_the_paper_has_no_such_number():
    assert paper_value("dev", "nano", "CBSD68 sigma 25", "psnr") == 31.46
    assert paper_value("dev", "nano", "GoPro", "psnr") is None
    assert paper_value("dev", "nano", "average", "psnr") is None
    assert paper_value("dehaze", "tiny", "SOTS outdoor", "psnr") is None
    assert paper_value("3deg-balanced", "tiny", "average", "psnr") == 32.89
    assert paper_value("3deg-balanced", "tiny", "Rain100L", "psnr") is None
    assert paper_row("zeroshot-underwater", "tiny") == "AnyIR-S"
    with pytest.raises(ValueError, match="no table 14"):
        paper_table(14)
