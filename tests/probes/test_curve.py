"""The curve of a training: a verdict on it holds its seeds, at the steps where all of them were measured."""

import pandas as pd
import pytest

from codec_cliff.probes import curve
from tests.probes.test_answers import BY, scores_of, study_of

SEEDS = ("6.25hz-fixed-duration", "6.25hz-fixed-duration-seed1")


def verdict_of(folder, gains: dict[str, dict[int, float]]):
    """The verdict where zeroing uncovered taps gives so much, model by model and step by step, and its control nothing."""
    study = study_of(
        {"frame_rate": 6.25, "tokens": [3], "protocols": ["fixed-duration"], "seeds": list(range(len(gains)))}
    )
    tap = {"layer": "decoder.model.0", "trained_norm": 1.0}
    for kind in ("along", "along_taps"):
        (folder / "probes" / kind).mkdir(parents=True)
    for codec, steps in gains.items():
        rows = [
            scores_of({codec: {"whole": 0.6, "zero-uncovered": 0.6 + gain, "zero-covered": 0.6}}, 0).rows.assign(
                step=step
            )
            for step, gain in steps.items()
        ]
        pd.concat(rows).to_csv(folder / "probes/along" / f"{codec}.csv", index=False)
        taps = pd.DataFrame(
            [{"codec": codec, "tap": number, **tap, "step": step} for step in steps for number in range(7)]
        )
        taps.to_csv(folder / "probes/along_taps" / f"{codec}.csv", index=False)
    rows = pd.DataFrame(columns=["codec", "variant", "utterance_id", "speaker_id", "stoi", "step"])
    answer = curve.answer(study, folder, curve.Scores(rows, "stoi", BY), taps.head(0))
    (verdict,) = answer.verdicts
    return verdict


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([{1: 0.010, 2: 0.020, 3: 0.030}, {1: 0.012, 2: 0.021, 3: 0.031}], "yes, it grows"),
        ([{1: 0.030, 2: 0.020, 3: 0.010}, {1: 0.031, 2: 0.021, 3: 0.012}], "no, it fades"),
        ([{1: 0.010, 2: 0.020, 3: 0.030}, {1: 0.020, 2: 0.018, 3: 0.015}], "not settled at this scale"),
        ([{1: 0.010, 3: 0.030}], "yes, it grows, in one training"),
    ],
)
def test_a_curve_is_settled_by_seeds_that_agree(tmp_path, gains, expected):
    assert verdict_of(tmp_path, dict(zip(SEEDS, gains, strict=False))).verdict == expected


def test_a_step_of_one_seed_ends_no_curve_of_two(tmp_path):
    verdict = verdict_of(tmp_path, {SEEDS[0]: {1: 0.01, 2: 0.02, 9: 0.5}, SEEDS[1]: {1: 0.01, 2: 0.02}})
    assert "step 2 minus step 1: +0.010" in verdict.evidence
    assert "step 9: uncovered +0.5000" in verdict.evidence
