import json
import re
from html.parser import HTMLParser

import pytest
import vl_convert

from codec_cliff.errors import UserError
from codec_cliff.paper.scale import choices, differences, scale_differences, statement
from codec_cliff.report.layout import Cell, Line, Table, write_table
from codec_cliff.report.page import render
from codec_cliff.statistics.results import Results
from codec_cliff.study.load import load_study
from tests.paths import ROOT
from tests.report.fixtures import CONTROL, built, demo_config, paper_config

VOID = {"meta", "br", "hr", "img", "link", "input", "path", "use", "rect", "line"}
CODE = re.compile(r"<(script|style)[^>]*>.*?</\1>", re.S)


class Outline(HTMLParser):
    """Ids, text, attributes that load something, and whether every tag is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.text, self.loads, self.open, self.tags = [], [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        inside = ("#", "data:")
        self.loads += [value for name, value in attributes if name in ("src", "href") and not value.startswith(inside)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return built(tmp_path_factory.mktemp("demo"), demo_config())


@pytest.fixture(scope="module")
def page(demo):
    return render(*demo)


def test_the_page_holds_every_table_and_every_codec(demo, page):
    study, _ = demo
    outline = Outline(CODE.sub("", page))
    assert outline.open == []
    names = {"table1", "table2", "table3", "table4", "coverage", "phonemes", "comparisons", "lag", "controls"}
    assert names | {"verdict", "figure1", "findings", "choices", "provenance", "scale"} <= set(outline.ids)
    text = "\n".join(outline.text)
    for codec in [*study.evaluated, CONTROL]:
        assert codec in text
    assert "This is a scale model; its figures are not the paper's." in text
    assert "repaired minus fixed duration: +" in text
    assert "nan" not in text.lower().split()
    assert len(outline.ids) == len(set(outline.ids))


def test_published_codecs_training_clips_stand_on_the_page_as_in_the_docs(page):
    rows = [
        [line for line in (ROOT / path).read_text().splitlines() if line.startswith("|")]
        for path in ("docs/training_clips.md", "codec_cliff/report/templates/training_clips.md")
    ]
    assert rows[0] == rows[1]
    text = " ".join(Outline(page).text)
    assert "MUFFIN" in text
    assert "DualCodec" in text


def test_a_page_for_a_repository_holds_no_speech(demo):
    bare = render(*demo, recordings=False)
    assert "data:audio" not in bare
    assert 'id="listening"' not in bare
    assert "#listening" not in CODE.sub("", bare)
    assert Outline(CODE.sub("", bare)).open == []


def test_sections_stand_in_the_papers_order(page):
    names = ["verdict", "table1", "table2", "figure1", "table3", "codebook", "table4", "probes", "training", "cost"]
    places = [page.index(f'<section id="{name}"') for name in [*names, "choices", "provenance"]]
    assert places == sorted(places)


def test_the_page_loads_nothing(page):
    bare = re.sub(r"<script[^>]*>.*?</script>", "", page, flags=re.S)
    assert Outline(bare).loads == []
    assert "@import" not in bare
    assert "url(http" not in bare
    assert not re.search(r"<script[^>]*src=", page)


def test_what_others_wrote_is_escaped(page):
    assert "codebook 0 &lt;collapsed&gt;" in page
    assert "empty &lt;file&gt;" in page
    assert "Recordings left out of train: 1." in page


def test_probes_and_controls_are_never_required(demo, tmp_path):
    study, results = demo
    for part in ("summary.csv", "codebook"):
        (tmp_path / part).symlink_to(results.folder / part)
    ids = Outline(CODE.sub("", render(study, Results(tmp_path)))).ids
    assert {"table1", "table4", "figure1", "probes", "cost"} <= set(ids)
    assert {"coverage", "phonemes", "comparisons", "findings", "verdict", "listening"}.isdisjoint(ids)


def test_a_missing_summary_is_named(demo, tmp_path):
    with pytest.raises(UserError, match=r"summary\.csv: missing"):
        render(demo[0], Results(tmp_path))


def test_every_chart_compiles_and_holds_the_tables_figures(demo, page):
    specs = dict(
        re.findall(r'<script type="application/json" class="spec" data-for="([^"]+)">(.*?)</script>', page, re.S)
    )
    assert {"chart-wer", "chart-stoi", "chart-phonemes", "chart-shares", "chart-efficiency", "chart-level-0"} <= set(
        specs
    )
    for spec in specs.values():
        vl_convert.vegalite_to_vega(json.loads(spec))
    _, results = demo
    points = {
        (value["codec"], value["value"], value["low"], value["high"])
        for layer in json.loads(specs["chart-stoi"])["layer"]
        for value in layer["data"]["values"]
        if "codec" in value
    }
    for codec in ("6.25hz-fixed-duration", "6.25hz-fixed-duration-repaired", "6.25hz-fixed-tokens", CONTROL):
        row = results.figure(codec, "stoi")
        assert (codec, row["value"], row["low"], row["high"]) in points


def test_parts_that_other_steps_write_are_shown_when_they_are_there(demo, tmp_path):
    study, results = demo
    for part in ("summary.csv", "codebook"):
        (tmp_path / part).symlink_to(results.folder / part)
    verdicts = 'question,verdict,evidence\nIs it <coverage>?,yes,"0.1 [0.0, 0.2]"\n'
    _write(tmp_path / "probes" / "verdicts.csv", verdicts)
    _write(tmp_path / "figures" / "probe_dose.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    table = Table(
        "probe_dose", "Dose & response", [{"tokens": 3}], ["Tokens"], [Line([Cell("3", "[2, 4]")])], ["a note"]
    )
    write_table(table, tmp_path / "tables" / "probe_dose")
    write_table(
        Table("cost", "Cost", [{"codec": "x"}], ["Codec"], [Line([Cell("50hz")])], []), tmp_path / "tables" / "cost"
    )
    columns = "table,codec,metric,ours,low,high,paper,difference,verdict,reason\n"
    _write(tmp_path / "paper_comparison.csv", columns + "table2,50hz,stoi,0.9,0.88,0.92,0.97,-0.07,not reproduced,\n")
    page = CODE.sub("", render(study, Results(tmp_path)))
    assert {"probe_dose", "paper_comparison"} <= set(Outline(page).ids)
    for text in (
        "Is it &lt;coverage&gt;?",
        "Dose &amp; response",
        "3 [2, 4]",
        "a note",
        "−0.07",
        "data:image/svg+xml;base64",
    ):
        assert text in page


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_papers_study_is_at_scale_and_the_demo_is_not():
    assert scale_differences(load_study(paper_config())) == []
    assert "scale model" not in statement(load_study(paper_config()))
    demo = load_study(demo_config())
    assert "Its speech is synthetic." in statement(demo)
    keys = {difference.key: (difference.paper, difference.here) for difference in differences(demo)}
    assert keys["training.steps"] == (100000, 500)
    assert keys["metrics.wer"] == ("mms_1b_all", "moonshine_tiny")
    assert "study" not in keys


def test_choices_are_the_comments_marked_ours(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "seed: 0  # ours: none is named\n# ours: the lists.\n# more\nframe_rates:\n  - 1\n  fixed: {a: 1}  # sec. 3; ours: b\n"
    )
    found = [(choice.key, choice.reason) for choice in choices(config)]
    assert found == [("seed", "none is named"), ("frame_rates", "the lists. more"), ("fixed", "b")]
    assert {"seed", "frame_rates", "weight_decay", "quantizer_dropout"} <= {choice.key for choice in choices()}
