import matplotlib.pyplot as plt
import pytest
from matplotlib.image import imread

from codec_cliff.report.figure1 import STYLE, draw, save
from tests.report.fixtures import built, demo_config


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return built(tmp_path_factory.mktemp("demo"), demo_config())


@pytest.fixture
def figure(demo):
    with plt.rc_context(STYLE):
        figure = draw(*demo)
        yield figure
        plt.close(figure)


def test_all_three_files_and_the_same_every_time(demo, tmp_path):
    with plt.rc_context(STYLE):
        for name in ("first", "second"):
            save(draw(*demo), tmp_path / name)
            plt.close()
    for suffix in ("pdf", "png", "svg"):
        first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("first", "second"))
        assert first == second
        assert len(first) > 10_000
    pixels = imread(tmp_path / "first.png")
    assert pixels.shape[1] == 1050  # 3.5 in at 300 dpi
    assert 0.01 < (pixels[..., :3].mean(axis=2) < 0.9).mean() < 0.5
    document = (tmp_path / "first.pdf").read_bytes()
    assert b"/FontFile2" in document  # TrueType outlines, embedded
    assert b"/Type3" not in document
    assert b"/CreationDate" not in document


def test_the_panels_hold_ours_and_the_papers_points(demo, figure):
    study, results = demo
    wer, stoi, phonemes = figure.axes
    drawn = {round(float(y), 6) for line in wer.lines for y in line.get_ydata()}
    assert {107.4, 15.37, 63.22} <= drawn
    for codec in ("6.25hz-fixed-duration", "6.25hz-fixed-duration-repaired", "6.25hz-fixed-tokens", "original"):
        assert round(results.figure(codec, "wer")["value"], 6) in drawn
    assert "moonshine_tiny" in wer.get_ylabel()
    assert [tick.get_text() for tick in phonemes.get_xticklabels()] == [
        f"{rate.frame_rate:g}" for rate in study.frame_rates
    ]
    assert phonemes.get_xscale() == "log"
    assert [2.6] in [list(line.get_ydata()) for line in phonemes.lines]
    assert "paper (MMS-1B, full scale)" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert stoi.get_ylabel() == "STOI, pystoi"
