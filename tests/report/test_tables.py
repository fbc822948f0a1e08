import csv
import re
import shutil
import subprocess

import pytest

from codec_cliff.errors import UserError
from codec_cliff.report.layout import (
    MISSING,
    Cell,
    Line,
    Table,
    escape,
    latex,
    markdown,
    number,
    read_markdown,
    write_table,
)
from codec_cliff.report.quality import _fact_cells
from codec_cliff.report.tables import TABLES
from codec_cliff.statistics.results import Results
from tests.report.fixtures import CONTROL, built, demo_config, paper_config


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return built(tmp_path_factory.mktemp("demo"), demo_config())


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return built(tmp_path_factory.mktemp("paper"), paper_config())


def columns(metric, published=True):
    parts = ["", "_low", "_high", "_paper", "_backend"]
    return [metric + part for part in parts if published or part != "_paper"]


MEASURED = [*columns("stoi"), *columns("wer"), *columns("wer_beyond_all", False), *columns("mcd"), *columns("spk_sim")]


@pytest.mark.parametrize("name", TABLES)
def test_no_table_has_a_nan_and_every_face_has_every_row(demo, tmp_path, name):
    table = TABLES[name](*demo)
    write_table(table, tmp_path / name)
    with open(tmp_path / f"{name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table.records) > 0
    assert {cell.lower() for row in rows for cell in row.values()}.isdisjoint({"nan", "none"})
    assert all(len(line.cells) == len(table.header) for line in table.lines)
    shown = (tmp_path / f"{name}.md").read_text()
    assert "nan" not in shown.lower()
    assert sum(line.startswith("| ") for line in shown.splitlines()) == len(table.lines) + 2


@pytest.mark.parametrize("name", TABLES)
def test_markdown_reads_back_as_it_was_shown(demo, tmp_path, name):
    table = TABLES[name](*demo)
    write_table(table, tmp_path / name)
    read = read_markdown(tmp_path / f"{name}.md")
    assert (read.name, read.title, read.header, read.notes) == (table.name, table.title, table.header, table.notes)
    assert [[cell.text for cell in line.cells] for line in read.lines] == [
        [cell.text for cell in line.cells] for line in table.lines
    ]


def test_table1_columns_and_rows(demo):
    table = TABLES["table1"](*demo)
    facts = ["model", "codec", "sample_rate", "frame_rate", "n_codebooks", "codebook_size", "bitrate"]
    assert list(table.records[0]) == [*facts, *MEASURED, *columns("distillmos", False)]
    assert [record["codec"] for record in table.records] == ["original", "dac_16k", "mimi_8", "mimi_32", "opus_12"]
    by_codec = {record["codec"]: record for record in table.records}
    assert by_codec["dac_16k"]["wer_paper"] == 5.25
    assert by_codec["mimi_32"]["stoi_paper"] is None
    assert any("32 codebooks" in note for note in table.notes)


def test_a_codec_of_several_frame_rates_has_them_all_in_table_1():
    facts = {"sample_rate": 24000, "n_codebooks": 3, "codebook_size": 4096, "bitrate": 984}
    for codec, rate, printed in (("snac_24k", 46.875, "12,23,47"), ("mimi_8", 12.5, "12.5"), ("mine", 46.875, "46.88")):
        cells = _fact_cells({"model": codec, "codec": codec, "frame_rate": rate, **facts})
        assert cells[2].text == printed


@pytest.mark.parametrize(("rate", "printed"), [(16000, "16"), (24000.0, "24"), (22050, "22.05"), (None, MISSING)])
def test_sample_rates_are_printed_in_kilohertz(rate, printed):
    record = dict.fromkeys(("n_codebooks", "codebook_size", "frame_rate", "bitrate")) | {
        "model": "any",
        "sample_rate": rate,
    }
    assert _fact_cells(record)[1].text == printed


def test_table2_marks_the_repaired_model_below_its_source(demo):
    table = TABLES["table2"](*demo)
    assert list(table.records[0]) == ["frame_rate", "codec", "repaired", *MEASURED, *columns("distillmos", False)]
    assert [(r["frame_rate"], r["repaired"]) for r in table.records][-2:] == [(6.25, False), (6.25, True)]
    source, repaired = table.records[-2:]
    assert (source["wer_paper"], repaired["wer_paper"]) == (107.40, None)
    assert [line.marked for line in table.lines] == [False] * 5 + [True]
    assert table.lines[1].cells[0].value == "50†"
    assert "6.25hz-fixed-duration: training collapsed." in table.notes


def test_table3_has_both_protocols_beside_the_papers_values(demo):
    records = TABLES["table3"](*demo).records
    assert [r["protocol"] for r in records] == ["fixed-duration"] * 5 + ["fixed-tokens"] * 7
    assert [r["utilization_paper"] for r in records if r["frame_rate"] == 6.25] == [0.987, 0.987]
    assert [r["entropy_efficiency_paper"] for r in records if r["frame_rate"] == 1.6] == [None]


def test_an_embedded_backend_never_stands_under_the_papers_name(demo, full):
    for name in ("table1", "table2", "table4"):
        embedded, published = TABLES[name](*demo), TABLES[name](*full)
        assert not any(column.startswith("utmos") for column in embedded.records[0])
        assert "UTMOS" not in embedded.header
        assert "distillmos_paper" not in embedded.records[0]
        assert any("moonshine_tiny" in note and "not comparable" in note for note in embedded.notes)
        assert {"utmos", "utmos_paper"} <= set(published.records[0])
        assert not any("distillmos" in column for column in published.records[0])
        assert not any("WER" in note and "not comparable" in note for note in published.notes)


def test_only_a_scaled_study_is_told_apart_from_the_papers(demo, full):
    told = [any("not at that scale" in note for note in TABLES["table2"](*study).notes) for study in (demo, full)]
    assert told == [True, False]


def test_a_shown_cell_has_the_value_its_interval_and_the_papers(demo):
    record, line = ((table := TABLES["table4"](*demo)).records[0], table.lines[0])
    expected = f"{record['stoi']:.2f} [{record['stoi_low']:.2f}, {record['stoi_high']:.2f}] (paper 0.98)"
    assert line.cells[1].text == expected
    assert expected in markdown(table)


def test_controls_are_shown_when_measured(demo):
    assert [record["codec"] for record in TABLES["controls"](*demo).records] == [CONTROL]


def test_a_codec_left_out_of_the_summary_is_named(demo):
    study, results = demo
    partial = Results(results.folder)
    partial.__dict__["summary"] = {key: row for key, row in results.summary.items() if key[0] != "25hz-fixed-tokens"}
    with pytest.raises(UserError, match="25hz-fixed-tokens is missing"):
        TABLES["table4"](study, partial)


def test_a_missing_summary_is_named(demo, tmp_path):
    with pytest.raises(UserError, match=r"summary\.csv: missing"):
        TABLES["table4"](demo[0], Results(tmp_path))


def test_numbers_as_shown():
    assert (number(None, 2), number(-0.001, 2), number(-1.25, 1, sign=True)) == ("–", "0.00", "−1.2")


@pytest.mark.parametrize("name", TABLES)
def test_latex_is_balanced_and_every_row_fills_its_columns(demo, name):
    table = TABLES[name](*demo)
    text = latex(table)
    bare = re.sub(r"\\[{}&%]", "", text)
    assert bare.count("{") == bare.count("}")
    assert re.findall(r"\\begin\{(\w+\*?)\}", text) == list(reversed(re.findall(r"\\end\{(\w+\*?)\}", text)))
    rows = re.search(r"\\toprule\n(.*)\\bottomrule", bare, re.S)[1].replace("\\midrule\n", "").splitlines()
    assert {row.count("&") for row in rows} == {len(table.header) - 1}
    assert text.isascii() or set(re.findall(r"[^\x00-\x7f]", text)) <= set("×é")


def test_latex_escapes_what_it_must():
    assert escape("a_b & 5 % of {x} #1 $2 ~ ^ \\") == (
        r"a\_b \& 5 \% of \{x\} \#1 \$2 \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    table = Table("t", "50 % & more", [{"a": 1}], ["a_b"], [Line([Cell("1", "[0, 2]", "paper 1")])], ["n_1"])
    assert r"50 \% \& more" in latex(table)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("name", TABLES)
def test_latex_compiles(demo, tmp_path, name):
    write_table(TABLES[name](*demo), tmp_path / name)
    document = (
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}\input{{{name}.tex}}\end{{document}}"
    )
    (tmp_path / "all.tex").write_text(document)
    subprocess.run(["pdflatex", "-halt-on-error", "all.tex"], cwd=tmp_path, check=True, capture_output=True)
