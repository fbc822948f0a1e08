"""The curve of a training: a verdict on it holds its seeds, at the steps where all of them were measured."""

import pandas as pd
import pytest

from codec_cliff.probes import curve
from tests.probes.test_answers import BY, scores_of, study_of

SEEDS = ("6.25hz-fixed-duration", "6.25hz-fixed-duration-seed1")


def answer_of(folder, gains: dict[str, dict[int, float]], final: dict[str, float] | None = None):
    """The answer where zeroing uncovered taps gives so much, model by model and step by step, and its control nothing.

    `final`: what it gives at the end of training, where that is measured.
    """
    study = study_of(
        {"frame_rate": 6.25, "tokens": [3], "protocols": ["fixed-duration"], "seeds": list(range(len(gains)))}
    )
    tap = {"layer": "decoder.model.0", "trained_norm": 1.0}
    for kind in ("along", "along_taps"):
        (folder / "probes" / kind).mkdir(parents=True)
    for codec, steps in gains.items():
        rows = [scored(codec, gain).assign(step=step) for step, gain in steps.items()]
        pd.concat(rows).to_csv(folder / "probes/along" / f"{codec}.csv", index=False)
        taps = pd.DataFrame(
            [{"codec": codec, "tap": number, **tap, "step": step} for step in steps for number in range(7)]
        )
        taps.to_csv(folder / "probes/along_taps" / f"{codec}.csv", index=False)
    ends = [scored(codec, gain) for codec, gain in (final or {}).items()]
    rows = pd.concat(ends) if ends else scored("none", 0).head(0)
    drift = [taps[taps["step"] == taps["step"].max()].drop(columns="step").assign(codec=codec) for codec in final or {}]
    return curve.answer(study, folder, curve.Scores(rows, "stoi", BY), pd.concat(drift) if drift else taps.head(0))


def scored(codec: str, gain: float) -> pd.DataFrame:
    return scores_of({codec: {"whole": 0.6, "zero-uncovered": 0.6 + gain, "zero-covered": 0.6}}, 0).rows


def verdict_of(folder, gains: dict[str, dict[int, float]]):
    (verdict,) = answer_of(folder, gains).verdicts
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


@pytest.mark.parametrize("ended", [SEEDS, SEEDS[:1], ()])
def test_a_last_step_that_was_kept_as_well_counts_once(tmp_path, ended):
    """Its scores at the end of training stand for it, and those it was kept with where the end is not measured yet."""
    last = study_of({"frame_rate": 6.25, "tokens": [3], "seeds": [0]}).training.steps
    gains = {codec: {1: 0.01, last: 0.03} for codec in SEEDS}
    rows = answer_of(tmp_path, gains, dict.fromkeys(ended, 0.03)).rows
    assert [(row["step"], row["seeds"]) for row in rows] == [(1, 2), (last, 2)]
    assert rows[-1]["zero-uncovered"] == pytest.approx(0.03)
    assert rows[-1]["norm_ratio"] == pytest.approx(1)
