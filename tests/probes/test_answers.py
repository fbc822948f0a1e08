"""The probes' arms and verdicts on made-up scores whose truth is known: a step, a slope, noise, a factor, a load."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from codec_cliff.errors import ConfigError, MetricError
from codec_cliff.probes import decoders, dose, load, matched_audio, quality, where
from codec_cliff.probes.answers import QUESTIONS, answers
from codec_cliff.probes.arms import Scores, arms, equal_audio, measured_runs
from codec_cliff.report.probe_figures import FIGURES
from codec_cliff.report.probes import LAYOUTS, probe_table
from codec_cliff.statistics.bootstrap import MIN_SPEAKERS, Resampling
from codec_cliff.statistics.results import Results
from codec_cliff.statistics.summary import summary
from codec_cliff.study.load import load_study
from tests.conftest import tiny_config

BY = Resampling(200, 0.95, 0)
SPEAKERS = 12
DOSES = [2, 3, 4, 5, 7, 10, 19]


def study_of(*listed: dict):
    config = tiny_config()
    config["probes"] = {"batch_seconds": 3.36, "arms": list(listed)}
    return load_study(config)


def scores_of(values: dict[str, float | dict[str, float]], noise: float = 0.002) -> Scores:
    """Two utterances of each speaker: a model's mean, the same speakers' levels for all, and a little noise."""
    random = np.random.default_rng(0)
    level = 0.05 * random.standard_normal(SPEAKERS).repeat(2)
    rows = []
    for codec, value in values.items():
        for variant, mean in (value if isinstance(value, dict) else {"whole": value}).items():
            for number, own in enumerate(mean + level + noise * random.standard_normal(2 * SPEAKERS)):
                names = {"utterance_id": f"u{number:02}", "speaker_id": f"s{number // 2:02}"}
                rows.append({"codec": codec, "variant": variant, **names, "stoi": own})
    return Scores(pd.DataFrame(rows), "stoi", BY)


def test_seeds_are_runs_of_their_own():
    study = study_of(
        {"frame_rate": 6.25, "tokens": [3], "protocols": ["fixed-duration"], "seeds": [0, 1]},
        {"frame_rate": 6.25, "tokens": [3], "audio": 3, "seeds": [2]},
    )
    assert list(study.probe_runs) == [
        "6.25hz-fixed-duration",
        "6.25hz-3-tokens",
        "6.25hz-fixed-duration-seed1",
        "6.25hz-3-tokens-seed1",
        "6.25hz-3-tokens-3x-audio-seed2",
    ]
    runs = study.runs
    assert runs["6.25hz-fixed-duration"] == study.probe_runs["6.25hz-fixed-duration"]
    other = runs["6.25hz-fixed-duration-seed1"]
    assert other.seed == 1
    assert replace(other, seed=0, codec="6.25hz-fixed-duration") == runs["6.25hz-fixed-duration"]
    assert (runs["6.25hz-3-tokens"].tokens_per_clip, runs["6.25hz-3-tokens"].batch_clips) == (3, 7)
    assert runs["6.25hz-3-tokens-3x-audio-seed2"].batch_clips == 21
    assert not set(study.probe_runs) - {"6.25hz-fixed-duration"} & set(study.trained)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({"frame_rate": 7, "tokens": [3], "seeds": [0]}, r"probes.arms\[0\].frame_rate: 7 Hz has no strides"),
        ({"frame_rate": 6.25, "protocols": ["fixed-token"], "seeds": [0]}, "did you mean fixed-tokens"),
        ({"frame_rate": 6.25, "seeds": [0]}, "name the clip lengths"),
        ({"frame_rate": 6.25, "tokens": [3]}, "seeds"),
        ({"frame_rate": 6.25, "tokens": [3], "seeds": [0], "token": 3}, "did you mean tokens"),
    ],
)
def test_mistakes_in_arms_are_named(listed, message):
    with pytest.raises(ConfigError, match=message):
        study_of(listed)


def test_a_protocol_may_not_take_a_clip_lengths_name():
    config = tiny_config()
    config["protocols"]["3-tokens"] = {"clip_tokens": 3, "batch_clips": 1}
    with pytest.raises(ConfigError, match="3-tokens: this name is kept"):
        load_study(config)


def doses(seeds=(0, 1)):
    study = study_of({"frame_rate": 6.25, "tokens": DOSES, "seeds": list(seeds)})
    return study, arms(study.probe_runs)


def test_seeds_make_one_arm_and_equal_audio_one_level():
    study = study_of(
        {"frame_rate": 6.25, "tokens": [3, 4, 19], "seeds": [0, 1]},
        {"frame_rate": 6.25, "tokens": [3, 19], "audio": 3, "seeds": [0]},
    )
    levels = equal_audio(arms(study.probe_runs))
    assert [[arm.tokens for arm in level] for level in levels] == [[3, 4, 19], [3, 19]]
    assert levels[0][0].codecs == ("6.25hz-3-tokens", "6.25hz-3-tokens-seed1")
    assert [arm.uncovered for arm in levels[0]] == [2, 0, 0]


@pytest.mark.parametrize(
    ("truth", "verdict"),
    [
        (lambda n: 0.60 if n < 4 else 0.65, "step between 3 and 4 tokens"),
        (lambda n: 0.60 + 0.03 * np.log(n), "slope"),
        (lambda n: 0.65 - 0.2 / n, "slope"),
        (lambda n: 0.62, "not settled at this scale"),
    ],
)
def test_a_step_and_a_slope_are_told_apart(truth, verdict):
    study, found = doses()
    random = np.random.default_rng(1)
    values = {codec: truth(arm.tokens) + 0.001 * random.standard_normal() for arm in found for codec in arm.codecs}
    answer = dose.answer(found, scores_of(values), study)
    assert answer.verdicts[0].verdict == verdict
    assert [row["tokens"] for row in answer.rows] == DOSES


@pytest.mark.parametrize(("seeds", "kept"), [((0,), DOSES), ((0, 1), [3, 4, 19])])
def test_one_seed_or_few_doses_settle_nothing(seeds, kept):
    study, found = doses(seeds)
    found = [arm for arm in found if arm.tokens in kept]
    values = {codec: 0.60 if arm.tokens < 4 else 0.65 for arm in found for codec in arm.codecs}
    (verdict,) = dose.answer(found, scores_of(values), study).verdicts
    assert verdict.verdict == "not settled at this scale"
    assert "4 minus 3 tokens +0.05" in verdict.evidence


def test_training_noise_widens_the_intervals():
    study, found = doses()
    sharp = {codec: 0.6 + 0.0001 * number for arm in found for number, codec in enumerate(arm.codecs)}
    wide = {codec: 0.6 + 0.02 * number for arm in found for number, codec in enumerate(arm.codecs)}
    widths = []
    for values in (sharp, wide):
        row = dose.answer(found, scores_of(values), study).rows[0]
        widths.append(row["high"] - row["low"])
    assert widths[1] > 1.1 * widths[0]


@pytest.mark.parametrize(
    ("tokens", "audio", "verdict"),
    [
        (0.05, 0.0, "more tokens: better at both levels of the other; more audio: not settled"),
        (0.0, 0.05, "more tokens: not settled; more audio: better at both levels of the other"),
        (0.0, 0.0, "not settled at this scale"),
    ],
)
def test_the_square_finds_the_factor(tokens, audio, verdict):
    study = study_of(
        {"frame_rate": 6.25, "tokens": [3, 19], "seeds": [0, 1]},
        {"frame_rate": 6.25, "tokens": [3, 19], "audio": 3, "seeds": [0, 1]},
    )
    random = np.random.default_rng(2)
    values = {
        codec: 0.6 + tokens * (run.tokens_per_clip > 3) + audio * (run.batch_clips * run.clip_seconds > 5)
        + 0.001 * random.standard_normal()
        for codec, run in study.probe_runs.items()
    }  # fmt: skip
    answer = matched_audio.answer(arms(study.probe_runs), scores_of(values, noise=0.0005))
    assert [found.verdict for found in answer.verdicts] == [verdict]
    effects = {row["effect"]: row["difference"] for row in answer.rows}
    assert effects["tokens, little audio"] == pytest.approx(tokens, abs=0.005)
    assert effects["audio, many tokens"] == pytest.approx(audio, abs=0.005)


@pytest.mark.parametrize(
    ("repaired", "control", "verdict"),
    [
        (0.02, -0.02, "yes, in all 2 models"),
        (0.02, 0.01, "yes, in all 2 models"),
        (-0.02, -0.02, "no, zeroing harms, in all 2 models"),
        (0.02, 0.02, "not settled at this scale: zeroing covered taps helps as much"),
        (0.0, 0.0, "not settled at this scale"),
    ],
)
def test_the_repair_is_judged_against_its_control(repaired, control, verdict):
    study = study_of({"frame_rate": 6.25, "tokens": [3, 4], "seeds": [0, 1]})
    edits = {"whole": 0.6, "zero-uncovered": 0.6 + repaired, "zero-covered": 0.6 + control, "randomise-uncovered": 0.6}
    values = {codec: edits if run.tokens_per_clip == 3 else 0.6 for codec, run in study.probe_runs.items()}
    answer = decoders.repair(arms(study.probe_runs), scores_of(values, noise=0.0))
    assert [found.verdict for found in answer.verdicts] == [verdict]
    assert {row["tokens"] for row in answer.rows} == {3}


def asked(truth: dict[str, dict[str, float]], study, noise: float = 0.001) -> dict[str, str]:
    """The verdicts of `quality` by question, from each metric's true means by codec; seeds scatter by 0.001."""
    by_metric = {}
    for number, (metric, means) in enumerate(truth.items()):
        random = np.random.default_rng(number)
        values = {codec: value + 0.001 * random.standard_normal() for codec, value in means.items()}
        scores = scores_of(values, noise)
        by_metric[metric] = Scores(scores.rows.rename(columns={"stoi": metric}), metric, BY)
    answer = quality.answer(study, arms(study.probe_runs), by_metric)
    return {verdict.question: verdict.verdict for verdict in answer.verdicts}


def test_every_metric_says_which_way_is_better():
    study = study_of({"frame_rate": 6.25, "tokens": [3, 4], "protocols": ["fixed-duration"], "seeds": [0, 1]})
    long = {codec: run.tokens_per_clip == 4 for codec, run in study.probe_runs.items()}
    truth = {
        "stoi": {codec: 0.65 if better else 0.60 for codec, better in long.items()},
        "mcd": {codec: 8.0 if better else 9.0 for codec, better in long.items()},
        "spk_sim": {codec: 0.5 if better else 0.6 for codec, better in long.items()},
        "dnsmos_p808": dict.fromkeys(long, 2.5),
    }
    found = asked(truth, study)
    verdict = found["At 6.25 Hz: clips of 4 tokens, 3.2 s a step instead of 3 tokens, 3.36 s a step"]
    assert verdict == "better in STOI, MCD; worse in SPK-SIM; not settled in DNSMOS P.808"


@pytest.mark.parametrize(("excess", "verdict"), [(0.2, "worse in STOI"), (0.0, "not settled in STOI")])
def test_a_fall_under_fixed_duration_is_set_against_the_fall_with_fixed_tokens(excess, verdict):
    config = tiny_config()
    config["tables"] = {"fixed_duration": [12.5, 6.25], "fixed_tokens": [12.5, 6.25], "reference_codecs": []}
    both = ["fixed-duration", "fixed-tokens"]
    listed = [{"frame_rate": rate, "protocols": both, "seeds": [0, 1]} for rate in (12.5, 6.25)]
    config["probes"] = {"batch_seconds": 0.76, "arms": listed}
    study = load_study(config)
    means = {
        codec: 0.9 - 0.1 * (run.frame_rate == 6.25) - excess * codec.startswith("6.25hz-fixed-duration")
        for codec, run in study.probe_runs.items()
    }
    found = asked({"stoi": means}, study)
    assert found["From 12.5 to 6.25 Hz: quality with fixed tokens"] == "worse in STOI"
    assert found["From 12.5 to 6.25 Hz: quality under fixed duration, beyond the change with fixed tokens"] == verdict


def test_without_two_seeds_no_metric_settles_anything():
    study = study_of({"frame_rate": 6.25, "tokens": [3, 4], "seeds": [0]})
    means = {codec: 0.1 * run.tokens_per_clip for codec, run in study.probe_runs.items()}
    assert set(asked({"stoi": means}, study).values()) == {"not settled in STOI"}


def test_arms_that_share_no_seed_are_not_tested_in_any_metric():
    study = study_of(
        {"frame_rate": 6.25, "tokens": [3], "seeds": [0]}, {"frame_rate": 6.25, "tokens": [4], "seeds": [1]}
    )
    assert list(asked({"stoi": dict.fromkeys(study.probe_runs, 0.6)}, study).values()) == ["not tested"]


def every_metric(results, study) -> None:
    """Random figures for every probe run: two utterances each of twelve speakers, one to 24 words long."""
    random = np.random.default_rng(0)
    for codec in study.probe_runs:
        for metric in study.metrics:
            rows = {"utterance_id": [f"u{n:02}" for n in range(24)], "speaker_id": [f"s{n // 2:02}" for n in range(24)]}
            rows |= {"backend": "b", "revision": "r"}
            if metric == "wer":
                rows |= {"errors": random.integers(0, 5, 24), "reference_words": range(1, 25)}
            else:
                rows |= {metric: random.random(24)}
            path = results / "metrics" / codec / f"{metric}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).to_csv(path, index=False)


def test_word_errors_are_summed_over_the_corpus(tmp_path):
    """A ratio of sums, not a mean of ratios; and the table holds the corpus figure that the summary holds."""
    study = study_of({"frame_rate": 6.25, "tokens": [3, 4], "seeds": [0]})
    every_metric(tmp_path, study)
    rows = quality.answer(
        study, arms(study.probe_runs), quality.metric_scores(study, tmp_path, list(study.probe_runs))
    ).rows
    figures = summary(study, tmp_path, list(study.probe_runs)).set_index(["codec", "metric"])
    for row in rows:
        for metric in ("stoi", "wer", "mcd", "spk_sim"):
            expected = figures.loc[(row["codecs"], metric)]
            assert row[metric] == pytest.approx(expected["value"])
            # percentiles of widened resamples here, which carry the seeds' noise too; studentised ones there
            low, high = row[f"{metric}_low"], row[f"{metric}_high"]
            assert [low, high] == pytest.approx([expected["low"], expected["high"]], abs=0.15 * (high - low))


def load_table(within: float, across: float) -> pd.DataFrame:
    """Loads of 1 to 3 phonemes a frame at 6.25 Hz and twice that at 3.125, a slope within rates and a loss between them."""
    random = np.random.default_rng(3)
    speed = random.uniform(1, 3, 60)
    frames = []
    for rate, factor in ((6.25, 1), (3.125, 2)):
        loads = factor * speed
        level = 0.8 - within * loads - (across if factor == 2 else 0)
        speakers = [f"s{number % 20}" for number in range(60)]
        frames.append(
            pd.DataFrame(
                {"rate": rate, "speaker": speakers, "load": loads, "stoi": level + 0.002 * random.standard_normal(60)}
            )
        )
    return pd.concat(frames, ignore_index=True)


def test_a_load_that_explains_everything_predicts_the_whole_loss():
    found = load.slopes(load_table(within=0.05, across=0.0), "stoi", BY)
    assert found.within.value == pytest.approx(-0.05, abs=0.003)
    assert found.across.value == pytest.approx(-0.05, abs=0.003)
    assert found.share.low <= 1 <= found.share.high


def test_a_loss_beside_the_load_is_seen():
    found = load.slopes(load_table(within=0.02, across=0.2), "stoi", BY)
    assert found.within.value == pytest.approx(-0.02, abs=0.003)
    assert found.share.value == pytest.approx(0.04 / 0.24, abs=0.05)
    assert found.share.high < 1


def test_an_utterance_without_words_has_no_word_error_rate():
    study = study_of({"frame_rate": 6.25, "tokens": [3], "seeds": [0]})
    rows = scores_of({"6.25hz-3-tokens": 0.6}).rows.assign(errors=1, reference_words=10)
    rows.loc[0, "reference_words"] = 0
    counts = {"utterance_id": rows["utterance_id"], "frame_rate": 6.25, "overlapping": range(24), "n_frames": 5}
    table = load.frames(rows, pd.DataFrame(counts), study.probe_runs)
    assert table["stoi"].notna().all()
    assert list(table["wer"].isna()) == [True] + 23 * [False]
    assert load.slopes(table, "wer", BY).within.value == pytest.approx(0, abs=1e-9)


def measured(folder, study):
    """A results folder as if every probe run had been trained, scored and aligned."""
    found = arms(study.probe_runs)
    for arm in found:
        for codec in arm.codecs:
            edits = {"whole": 0.6, "chunks": 0.55, "overlapping-chunks": 0.61}
            if arm.uncovered:
                edits |= {"zero-uncovered": 0.61, "zero-covered": 0.58, "randomise-uncovered": 0.6}
            rows = scores_of({codec: edits}).rows
            positions = [
                {**row, "distance": kind, "bin": number, "frames": 10, "error_sum": 10.0 * (8 - edits[row["variant"]])}
                for row in rows.drop(columns="stoi").to_dict("records")
                for kind in ("utterance_edge", "token_boundary")
                for number in range(8)
            ]
            taps = [{"codec": codec, "layer": "decoder.model.0", "tap": tap, "positions_per_clip": max(0, arm.tokens - abs(tap - 3)),
                     "initial_norm": 1.0, "trained_norm": 2.0, "cosine": 0.9, "rank_correlation": 0.9 + 0.05 * (tap in (0, 6))}
                    for tap in range(7)]  # fmt: skip
            for kind, table in (
                ("scores", rows),
                ("positions", pd.DataFrame(positions)),
                ("drift", pd.DataFrame(taps)),
                ("along", pd.concat([rows.assign(step=1), rows.assign(step=2)])),
                ("along_taps", pd.DataFrame(taps).assign(step=1)),
            ):
                (folder / "probes" / kind).mkdir(parents=True, exist_ok=True)
                table.to_csv(folder / "probes" / kind / f"{codec}.csv", index=False)
            (folder / "runs" / codec).mkdir(parents=True)
            (folder / "runs" / codec / "run.json").write_text(json.dumps({"collapsed": codec.endswith("seed1")}))
    (folder / "alignment").mkdir()
    counts = [{"utterance_id": f"u{number:02}", "frame_rate": rate, "overlapping": 10 + number % 7, "n_frames": 5 * rate / 3}
              for number in range(2 * SPEAKERS) for rate in (6.25, 3.125)]  # fmt: skip
    pd.DataFrame(counts).to_csv(folder / "alignment" / "phonemes_per_frame.csv", index=False)


def test_every_question_gets_a_table_a_figure_and_a_verdict(tmp_path):
    study = study_of(
        {"frame_rate": 6.25, "tokens": [3, 4, 19], "seeds": [0, 1]},
        {"frame_rate": 6.25, "tokens": [3, 19], "audio": 3, "seeds": [0]},
        {"frame_rate": 3.125, "tokens": [2, 4, 19], "audio": 2, "seeds": [0]},
    )
    with pytest.raises(MetricError, match="no model is scored"):
        measured_runs(study, tmp_path, None)
    measured(tmp_path, study)
    found = answers(study, tmp_path)
    assert set(found) == {*QUESTIONS, "training"}
    assert found["training"].verdicts[0].verdict == "no: 3 of 11 collapsed"
    verdicts = [asdict(verdict) for answer in found.values() for verdict in answer.verdicts]
    assert all(verdict["evidence"] for verdict in verdicts)
    for name in QUESTIONS:
        pd.DataFrame(found[name].rows).to_csv(tmp_path / "probes" / f"{name}.csv", index=False)
    pd.DataFrame(verdicts).to_csv(tmp_path / "probes" / "verdicts.csv", index=False)
    every_metric(tmp_path, study)
    codecs = list(study.probe_runs)
    of_quality = quality.answer(study, arms(study.probe_runs), quality.metric_scores(study, tmp_path, codecs))
    pd.DataFrame(of_quality.rows).to_csv(tmp_path / "probes" / "quality.csv", index=False)
    for name in LAYOUTS:
        table = probe_table(name, study, Results(tmp_path))
        assert table.lines, name
        assert all(len(line.cells) == len(table.header) for line in table.lines)
        missing = {column.key for column in LAYOUTS[name].columns if not column.optional} - set(table.records[0])
        assert not missing, (name, missing)
    assert set(FIGURES) == {"coverage", "quality", *QUESTIONS}
    for name, draw in FIGURES.items():
        assert draw(study, tmp_path).axes, name
    labels = [axis.get_xlabel() for axis in FIGURES["positions"](study, tmp_path).axes]
    assert [label.split("(")[1] for label in labels] == ["half tokens)", "1/16 tokens)"]


def test_tables_of_pairs_name_the_fewest_speakers():
    for name in ("repair", "chunks"):
        assert f"utterances where there are fewer than {MIN_SPEAKERS})" in LAYOUTS[name].notes[0]


def test_what_was_not_trained_is_not_settled():
    study = study_of({"frame_rate": 6.25, "tokens": [3, 4], "seeds": [0]})
    (verdict,) = matched_audio.answer(arms(study.probe_runs), scores_of(dict.fromkeys(study.probe_runs, 0.6))).verdicts
    assert verdict.verdict == "not settled at this scale"
    assert "no square" in verdict.evidence


def test_drift_that_overlaps_is_no_evidence():
    study = study_of({"frame_rate": 6.25, "tokens": [3], "seeds": [0]})
    rows = pd.DataFrame({"codec": "6.25hz-3-tokens", "layer": "decoder.model.0", "tap": range(7),
                         "positions_per_clip": [0, 1, 2, 3, 2, 1, 0], "initial_norm": 1.0, "trained_norm": 1.0,
                         "cosine": 1.0, "rank_correlation": [0.9, 0.95, 0.9, 0.9, 0.9, 0.9, 0.99]})  # fmt: skip
    (verdict,) = where.drift(rows, arms(study.probe_runs)).verdicts
    assert verdict.verdict == "no: they overlap"
