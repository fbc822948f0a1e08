import math

import pandas as pd
import pytest

from codec_cliff.report.verdict import MARKS, tally, verdict
from codec_cliff.statistics.claims import (
    NOT_REPRODUCED,
    NOT_SETTLED,
    NOT_TESTED,
    REPRODUCED,
    Quantity,
    claims,
    judge,
    lowest,
    spread,
    trainings,
    verdicts,
)
from codec_cliff.statistics.seeds import arm_of
from codec_cliff.study.load import load_study
from tests.report.fixtures import built, demo_config


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return built(tmp_path_factory.mktemp("demo"), demo_config())


@pytest.mark.parametrize(
    ("low", "high", "holds", "expected"),
    [
        (0.1, 0.2, [0, None], REPRODUCED),
        (-0.2, -0.1, [0, None], NOT_REPRODUCED),
        (-0.1, 0.1, [0, None], NOT_SETTLED),
        (0.1, 0.2, [None, 0.05], NOT_REPRODUCED),
        (0.1, 0.2, [0.05, 0.15], NOT_SETTLED),
        (0.1, 0.2, [0.05, 0.25], REPRODUCED),
    ],
)
def test_a_verdict_is_where_the_interval_lies(low, high, holds, expected):
    assert judge(Quantity("", (low + high) / 2, low, high), holds) == expected


def test_what_was_not_measured_is_not_tested():
    assert judge(Quantity("", reason="no run"), [0, None]) == NOT_TESTED


def test_the_papers_own_figures_satisfy_its_claims(demo):
    """Every range holds the paper's value: but for entropy, whose table (0.051) exceeds the text (0.05)."""
    for row in verdicts(*_parts(demo)):
        assert row["paper"] is not None
        exact = Quantity("", row["paper"], row["paper"], row["paper"])
        expected = NOT_REPRODUCED if row["id"] == "entropy" else REPRODUCED
        assert judge(exact, [row["at_least"], row["at_most"]]) == expected, row["id"]


def test_a_difference_is_that_of_the_summary(demo):
    study, folder = _parts(demo)
    row = next(row for row in verdicts(study, folder) if row["id"] == "tokens-help")
    values = [demo[1].figure(codec, "stoi")["value"] for codec in ("6.25hz-fixed-tokens", "6.25hz-fixed-duration")]
    assert row["value"] == pytest.approx(values[0] - values[1])
    assert row["low"] < row["value"] < row["high"]
    assert row["verdict"] == "agrees, one training"  # the fabricated study has the paper's cliff, and one seed


def test_a_run_stands_for_itself_beside_an_equal_arm_of_the_probes(tmp_path):
    """19 tokens a clip and the fixed tokens of Table 4 are one arm: the probes' name for it, unmeasured, hides no run."""
    config = demo_config()
    config["probes"] |= {"batch_seconds": 218.88, "arms": [{"frame_rate": 6.25, "tokens": [19], "seeds": [0, 1]}]}
    study = load_study(config)
    codec = "6.25hz-fixed-tokens"
    assert arm_of(study.runs["6.25hz-19-tokens"]) == arm_of(study.runs[codec])
    assert trainings(study, tmp_path, codec) == {0: codec}
    (tmp_path / "metrics" / "6.25hz-19-tokens-seed1").mkdir(parents=True)
    assert trainings(study, tmp_path, codec) == {0: codec, 1: "6.25hz-19-tokens-seed1"}


def test_of_two_names_of_one_training_the_measured_one_counts(tmp_path):
    config = demo_config()
    arms = [{"frame_rate": 6.25, "tokens": [19], "protocols": ["fixed-tokens"], "seeds": [1]}]
    config["probes"] |= {"batch_seconds": 218.88, "arms": arms}
    study = load_study(config)
    codec = "6.25hz-fixed-tokens"
    for measured in (f"{codec}-seed1", "6.25hz-19-tokens-seed1"):
        (tmp_path / measured / "metrics" / measured).mkdir(parents=True)
        assert trainings(study, tmp_path / measured, codec) == {0: codec, 1: measured}


def test_a_rate_that_the_study_lacks_is_not_tested(tmp_path):
    config = demo_config()
    config["tables"]["fixed_tokens"] = [50, 12.5, 6.25]
    study, results = built(tmp_path, config)
    by_id = {row["id"]: row for row in verdicts(study, results.folder)}
    assert (by_id["ultra-low-1"]["verdict"], by_id["ultra-low-1"]["value"]) == (NOT_TESTED, None)
    assert "1.6 Hz fixed tokens" in by_id["ultra-low-1"]["reason"]


def test_codebooks_are_judged_at_the_rates_of_the_papers_table_each_protocol_by_itself(tmp_path):
    def entropy(codec: str, value: float) -> None:
        row = {"level": "mean", "utilization": 0.99, "utilization_low": 0.98, "utilization_high": 1.0}
        row |= {f"entropy_efficiency{end}": value + d for end, d in (("", 0), ("_low", -0.01), ("_high", 0.01))}
        pd.DataFrame([row]).to_csv(tmp_path / "codebook" / f"{codec}.csv")

    config = demo_config()
    config["tables"] |= {"fixed_duration": [50, 6.25], "fixed_tokens": [50, 6.25, 1.6], "repaired": []}
    study = load_study(config)
    (tmp_path / "codebook").mkdir()
    values = {"50hz": 0.86, "6.25hz-fixed-duration": 0.89, "6.25hz-fixed-tokens": 0.82, "1.6hz-fixed-tokens": 0.5}
    for codec, value in values.items():
        entropy(codec, value)
    found = spread(study, tmp_path, "entropy_efficiency")
    assert found.text.endswith("fixed tokens")
    assert (found.value, found.low, found.high) == pytest.approx((0.04, 0.02, 0.06))
    assert lowest(study, tmp_path, "entropy_efficiency").text.endswith("6.25hz-fixed-tokens")


def test_one_rate_has_no_spread(tmp_path):
    config = demo_config()
    config["tables"] |= {"fixed_duration": [6.25], "fixed_tokens": [6.25, 3.125], "repaired": []}
    (tmp_path / "codebook").mkdir()
    for protocol in ("duration", "tokens"):
        rows = pd.DataFrame(
            [{"level": "mean"} | dict.fromkeys(("utilization", "utilization_low", "utilization_high"), 1)]
        )
        rows.to_csv(tmp_path / "codebook" / f"6.25hz-fixed-{protocol}.csv")
    study = load_study(config)
    assert judge(spread(study, tmp_path, "utilization"), [None, 0.05]) == NOT_TESTED
    assert judge(lowest(study, tmp_path, "utilization"), [0.98, None]) == REPRODUCED


def test_a_study_without_a_rate_of_table_3_does_not_test_codebooks(tmp_path):
    config = demo_config()
    config["tables"] |= {"fixed_duration": [3.125], "fixed_tokens": [1.6], "repaired": []}
    study = load_study(config)
    for quantity in (lowest(study, tmp_path, "utilization"), spread(study, tmp_path, "entropy_efficiency")):
        assert judge(quantity, [0, 1]) == NOT_TESTED
        assert "Table 3" in quantity.reason


def test_the_page_shows_every_claim_with_the_figure_behind_it(demo):
    shown = verdict(demo[1])
    assert [claim.claim for claim in shown] == [claim["claim"] for claim in claims()]
    assert sum(count for _, _, count in tally(shown)) == len(shown)
    assert {claim.verdict for claim in shown} <= set(MARKS)
    assert all(claim.paper and "[" in claim.ours for claim in shown)
    wer = next(claim for claim in shown if "WER" in claim.ours)
    assert "moonshine_tiny; the paper used MMS-1B" in wer.remark


def _parts(demo):
    assert all(math.isfinite(bound) for claim in claims() for bound in claim["holds"] if bound is not None)
    return demo[0], demo[1].folder
