from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest

from codec_cliff.config import load_study
from codec_cliff.errors import UserError
from codec_cliff.report.figure1 import STYLE, draw, save
from codec_cliff.report.page import render
from codec_cliff.report.results import Results
from codec_cliff.report.scale import choices, differences, scale_differences, statement
from tests.report_fixtures import CONTROL, built, demo_config, paper_config

VOID = {"meta", "br", "hr", "img", "link", "input", "path", "use", "rect"}


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
        self.loads += [value for name, value in attributes if name in ("src", "href") and not value.startswith("#")]
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
    study, results = built(tmp_path_factory.mktemp("demo"), demo_config())
    with plt.rc_context(STYLE):
        save(draw(study, results), results.folder / "figures" / "figure1")
    return study, results


def test_the_page_holds_every_table_and_every_codec(demo):
    study, results = demo
    page = render(study, results)
    outline = Outline(page)
    assert outline.open == []
    names = {"table1", "table2", "table3", "table4", "coverage", "phonemes", "comparisons", "lag", "controls"}
    assert names | {"figure1", "findings", "choices", "provenance", "scale"} <= set(outline.ids)
    text = "\n".join(outline.text)
    for codec in [*study.evaluated, CONTROL]:
        assert codec in text
    assert outline.tags.count("svg") == 1
    assert "This is a scale model; its figures are not the paper's." in text
    assert "repaired minus fixed duration: +" in text
    assert "nan" not in text.lower().split()


def test_the_page_loads_nothing(demo):
    page = render(*demo)
    assert Outline(page).loads == []
    assert "<script" not in page
    assert "@import" not in page
    assert "url(http" not in page


def test_what_others_wrote_is_escaped(demo):
    page = render(*demo)
    assert "codebook 0 &lt;collapsed&gt;" in page
    assert "empty &lt;file&gt;" in page
    assert "Recordings left out of train: 1." in page


def test_probes_and_controls_are_never_required(demo, tmp_path):
    study, results = demo
    for part in ("summary.csv", "figures", "codebook"):
        (tmp_path / part).symlink_to(results.folder / part)
    ids = Outline(render(study, Results(tmp_path))).ids
    assert {"table1", "table4", "figure1"} <= set(ids)
    assert {"coverage", "phonemes", "comparisons", "findings"}.isdisjoint(ids)


def test_a_missing_figure_is_named(demo, tmp_path):
    study, results = demo
    (tmp_path / "summary.csv").symlink_to(results.folder / "summary.csv")
    with pytest.raises(UserError, match=r"figure1\.svg: missing"):
        render(study, Results(tmp_path))


def test_the_papers_study_is_at_scale_and_the_demo_is_not():
    assert scale_differences(load_study(paper_config())) == []
    assert "scale model" not in statement(load_study(paper_config()))
    demo = load_study(demo_config())
    assert "Its speech is synthetic." in statement(demo)
    keys = {difference.key: (difference.paper, difference.here) for difference in differences(demo)}
    assert keys["training.steps"] == (100000, 500)
    assert keys["metrics.wer"] == ("mms_1b_all", "pocketsphinx")
    assert "study" not in keys


def test_choices_are_the_comments_marked_ours(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "seed: 0  # ours: none is named\n# ours: the lists.\n# more\nframe_rates:\n  - 1\n  fixed: {a: 1}  # sec. 3; ours: b\n"
    )
    found = [(choice.key, choice.reason) for choice in choices(config)]
    assert found == [("seed", "none is named"), ("frame_rates", "the lists."), ("fixed", "b")]
    assert {"seed", "frame_rates", "weight_decay", "quantizer_dropout"} <= {choice.key for choice in choices()}
