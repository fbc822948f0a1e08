import pytest
import yaml

from codec_cliff.paper.values import (
    is_paper_backend,
    paper,
    paper_codebook,
    paper_phonemes,
    paper_quality,
    paper_reference,
)
from codec_cliff.study.config import bitrate
from codec_cliff.study.load import load_study
from tests.report.fixtures import ROOT


def test_known_cells():
    assert paper_quality("fixed-duration", 6.25, "wer") == 107.40
    assert paper_quality("fixed-tokens", 1.6, "stoi") == 0.76
    assert paper_quality("fixed-tokens", 6.25, "mcd") == 3.72
    assert paper_reference("qwen3_tts_12hz", "stoi") == 0.65
    assert paper_reference("wavtokenizer_40", "wer") == 24.36
    assert paper_codebook(6.25, "utilization") == 0.987
    assert paper_codebook(100, "entropy_efficiency") == 0.868
    assert (paper_phonemes(6.25), paper_phonemes(None), paper_phonemes(25)) == (2.6, 12.2, None)


def test_rows_that_the_paper_does_not_have():
    assert paper_quality("fixed-duration", 3.125, "wer") is None
    assert paper_reference("mimi_32", "stoi") is None
    assert paper_quality("fixed-tokens", 6.25, "distillmos") is None


def test_both_protocols_share_the_50_hz_row():
    assert paper()["table2"]["rows"][50] == paper()["table4"]["rows"][50]


def test_rows_are_those_of_the_paper_study():
    study = load_study(yaml.safe_load((ROOT / "config.yaml").read_text()))
    assert list(paper()["table2"]["rows"]) == list(study.tables["fixed_duration"])
    assert list(paper()["table4"]["rows"]) == list(study.tables["fixed_tokens"])
    assert [codec for codec in study.reference_codecs if codec != "mimi_32"] == list(paper()["table1"]["rows"])


@pytest.mark.parametrize("codec", [codec for codec in paper()["table1"]["rows"] if codec != "snac_24k"])
def test_the_printed_bitrates_are_those_of_equation_1(codec):
    row = paper()["table1"]["rows"][codec]
    assert bitrate(float(row["frame_rate"]), row["n_codebooks"], row["codebook_size"]) == pytest.approx(row["bitrate"])


def test_the_mimi_row_carries_its_doubt():
    assert "32 codebooks" in paper()["table1"]["rows"]["mimi_8"]["note"]


def test_only_the_papers_backends_are_the_papers():
    assert is_paper_backend("wer", "mms_1b_all")
    assert not is_paper_backend("wer", "moonshine_tiny")
    assert not is_paper_backend("mcd", "mel_cepstral_distance")  # the paper names no tool
    assert not is_paper_backend("distillmos", "distillmos")
