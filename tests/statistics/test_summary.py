import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from codec_cliff.errors import MetricError
from codec_cliff.statistics.bootstrap import (
    Estimate,
    Resampling,
    bootstrap_mean,
    bootstrap_ratio,
    paired_difference,
    verdict,
)
from codec_cliff.statistics.summary import (
    FIGURES,
    codec_rows,
    comparison_pairs,
    comparisons,
    phonemes,
    read_metric,
    scored,
    summary,
)
from tests.report.fixtures import demo_config, fabricate

BY = Resampling(samples=500, confidence=0.95, seed=0)


def speakers(n, per_speaker=1):
    return np.repeat([f"s{number}" for number in range(n)], per_speaker)


def test_constant_data_have_no_width():
    estimate = bootstrap_mean(np.full(40, 0.7), speakers(20, 2), BY)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.7, 0.7, 0.7), abs=1e-12)


def test_speakers_whose_utterances_are_alike_widen_the_interval():
    values = np.repeat(np.random.default_rng(0).normal(0, 1, 20), 10)
    by_speaker = bootstrap_mean(values, speakers(20, 10), BY)
    by_utterance = bootstrap_mean(values, speakers(200), BY)
    assert by_speaker.value == pytest.approx(by_utterance.value)
    ratio = (by_speaker.high - by_speaker.low) / (by_utterance.high - by_utterance.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.25)


@pytest.mark.parametrize(("n_speakers", "unit"), [(4, "utterance"), (5, "speaker")])
def test_utterances_are_resampled_where_speakers_are_few(n_speakers, unit):
    assert bootstrap_mean(np.arange(n_speakers * 2), speakers(n_speakers, 2), BY).unit == unit


def test_the_seed_decides_the_interval():
    values, names = np.random.default_rng(0).normal(0, 1, 50), speakers(25, 2)
    assert bootstrap_mean(values, names, BY) == bootstrap_mean(values, names, BY)
    assert bootstrap_mean(values, names, BY) != bootstrap_mean(values, names, Resampling(500, 0.95, 1))


def test_a_ratio_is_of_sums_and_no_mean_of_ratios():
    estimate = bootstrap_ratio([1, 0], [1, 99], ["a", "b"], BY)
    assert estimate.value == pytest.approx(0.01)  # the mean of the two ratios is 0.5


def test_a_codec_does_not_differ_from_itself():
    sums = (np.random.default_rng(0).poisson(3, 30), np.full(30, 8))
    difference = paired_difference(sums, sums, speakers(30), BY)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert verdict(difference) == "not settled"


def test_pairing_settles_what_separate_intervals_cannot():
    rng = np.random.default_rng(0)
    a, ones = rng.normal(0, 1, 40), np.ones(40)
    b = a + rng.normal(0.1, 0.05, 40)
    assert verdict(paired_difference((a, ones), (b, ones), speakers(40), BY)) == "higher"
    assert verdict(paired_difference((b, ones), (a, ones), speakers(40), BY)) == "lower"
    apart = [bootstrap_mean(values, speakers(40), BY) for values in (a, b)]
    assert apart[0].high > apart[1].low


@pytest.fixture(scope="module")
def fabricated(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    return results, fabricate(results, demo_config())


def test_summary_counts_what_could_not_be_scored(fabricated):
    results, study = fabricated
    rows = summary(study, results, ["original", "50hz"]).set_index(["codec", "metric"])
    assert rows.loc[("50hz", "stoi"), ["n_utterances", "n_missing", "n_speakers"]].tolist() == [35, 1, 12]
    assert rows.loc[("50hz", "mcd"), ["n_utterances", "n_missing", "unit"]].tolist() == [36, 0, "speaker"]
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()


def test_summary_wer_is_the_corpus_wer_in_percent(fabricated):
    results, study = fabricated
    rows = pd.read_csv(results / "metrics" / "50hz" / "wer.csv")
    found = summary(study, results, ["50hz"]).set_index("metric")["value"]
    assert found["wer"] == pytest.approx(100 * rows["errors"].sum() / rows["reference_words"].sum())
    assert found["wer_insertions"] == pytest.approx(100 * rows["insertions"].sum() / rows["reference_words"].sum())
    assert found["wer_beyond_all"] == pytest.approx(100 * (rows["errors"] > rows["reference_words"]).mean())


def test_utterances_without_reference_words_are_left_out():
    rows = pd.DataFrame(
        {"utterance_id": ["a", "b"], "speaker_id": ["s", "s"], "errors": [2, 1], "reference_words": [0, 4]}
    )
    wer = next(figure for figure in FIGURES if figure.name == "wer")
    assert scored(rows, wer).index.tolist() == ["b"]


def test_a_missing_metric_says_what_to_do(fabricated):
    with pytest.raises(MetricError, match="--codecs"):
        read_metric(fabricated[0], "nobody", "stoi")


def test_rows_of_two_backends_are_refused(tmp_path):
    path = tmp_path / "metrics" / "x" / "stoi.csv"
    path.parent.mkdir(parents=True)
    path.write_text("utterance_id,speaker_id,backend,revision,stoi\na,1,pystoi,1,0.5\nb,1,pystoi,2,0.5\n")
    with pytest.raises(MetricError, match="one backend"):
        read_metric(tmp_path, "x", "stoi")


def test_comparisons_pair_protocols_at_every_rate_that_has_two(fabricated):
    _, study = fabricated
    pairs = comparison_pairs(study, study.evaluated)
    assert [pair for pair in pairs if pair[0] == 6.25] == [
        (6.25, "6.25hz-fixed-duration", "6.25hz-fixed-duration-repaired"),
        (6.25, "6.25hz-fixed-duration", "6.25hz-fixed-tokens"),
        (6.25, "6.25hz-fixed-duration-repaired", "6.25hz-fixed-tokens"),
    ]
    assert {rate for rate, _, _ in pairs} == {100, 25, 12.5, 6.25}  # 50 Hz is one model, below 6.25 Hz there is one


def test_a_difference_is_that_of_the_figures_where_nothing_is_missing(fabricated):
    results, study = fabricated
    pair = ["12.5hz-fixed-duration", "12.5hz-fixed-tokens"]
    figures = summary(study, results, pair).set_index(["codec", "metric"])["value"]
    found = comparisons(study, results, pair).set_index("metric")["difference"]
    for metric in ("wer", "mcd", "stoi"):
        assert found[metric] == pytest.approx(figures[pair[1], metric] - figures[pair[0], metric])


def test_phonemes_a_frame_from_sums():
    counts = pd.DataFrame({"speaker_id": ["a", "b"], "seconds": [1.0, 3.0], "speech_seconds": [1.0, 2.0]})
    counts = counts.assign(frame_rate=6.25, n_frames=[7, 19], phones=[12, 36], overlapping=[20, 58], distinct=[18, 50])
    for name in ("phones", "overlapping", "distinct"):
        counts[f"{name}_with_silence"] = counts[name] + 1
    for number in range(16):
        counts[f"frames_with_{number}"] = [{2: 4, 7: 2, 15: 1}.get(number, 0), 19 if number == 3 else 0]
    found = phonemes(counts, BY)
    values = found.set_index(["definition", "silence"])["value"]
    assert values["per_second", "without"] == pytest.approx(12)
    assert values["per_speech_second", "without"] == pytest.approx(16)
    assert values["rate", "without"] == pytest.approx(12 / 6.25)
    assert values["overlapping", "without"] == pytest.approx(78 / 26)
    assert values["distinct", "with"] == pytest.approx(70 / 26)
    shares = [values[f"share_{number}", "without"] for number in range(6)]
    assert shares == pytest.approx([0, 0, 4 / 26, 19 / 26, 0, 3 / 26])
    assert found.set_index("definition")["paper"].to_dict()["rate"] == 2.6
    assert found[found["frame_rate"].isna()]["paper"].unique().tolist() == [12.2]


def test_command_line_writes_the_summary(fabricated, tmp_path):
    results, _ = fabricated
    study = json.dumps(demo_config())
    command = [sys.executable, "-m", "codec_cliff.statistics", "summary", "--study", study, "--results", str(results)]
    subprocess.run([*command, "--output", str(tmp_path / "s.csv"), "--codecs", "original", "50hz"], check=True)
    columns = [
        "codec",
        "metric",
        "backend",
        "revision",
        "value",
        "low",
        "high",
        "n_utterances",
        "n_missing",
        "n_speakers",
        "unit",
    ]
    rows = pd.read_csv(tmp_path / "s.csv")
    assert rows.columns.tolist() == columns
    assert set(rows["codec"]) == {"original", "50hz"}
    failed = subprocess.run([*command, "--output", str(tmp_path / "t.csv"), "--codecs", "nobody"], capture_output=True)
    assert failed.returncode == 2
    assert b"nobody" in failed.stderr
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize(
    ("name", "value", "low", "high", "shown"),
    [
        ("stoi", 0.5, -2, 6.85, (-1, 1)),
        ("wer_beyond_all", 5, -9.8, 121, (0, 100)),
        ("wer", 80, -4, 190, (0, 190)),
        ("distillmos", 1.1, 0.2, 19, (1, 5)),
        ("distillmos", 0.97, 0.9, 1.2, (0.97, 1.2)),  # a predictor may leave its scale
        ("level_difference_db", -3, -9, 2, (-9, 2)),
    ],
)
def test_no_interval_leaves_its_figures_scale(name, value, low, high, shown):
    figure = next(figure for figure in FIGURES if figure.name == name)
    found = figure.bounded(Estimate(value, low, high, "speaker"))
    assert (found.low, found.value, found.high) == (shown[0], value, shown[1])


def test_two_recordings_leave_every_interval_on_its_scale(fabricated):
    results, study = fabricated
    few = read_metric(results, "50hz", "stoi").iloc[:2].assign(stoi=[0.1, 0.9])
    (row,) = [row for row in codec_rows("50hz", {"stoi": few}, Resampling.of(study)) if row["metric"] == "stoi"]
    assert (row["value"], row["high"]) == (0.5, 1)
