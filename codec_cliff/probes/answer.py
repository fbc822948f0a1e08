"""What a probe answers with: rows for its table, and verdicts in computed sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from codec_cliff.statistics.bootstrap import Estimate


@dataclass(frozen=True)
class Verdict:
    """A row of results/<study>/probes/verdicts.csv."""

    question: str
    verdict: str
    evidence: str


@dataclass(frozen=True)
class Answer:
    """The records of one probe's table, all with the same keys, and its verdicts."""

    rows: list[dict[str, object]]
    verdicts: list[Verdict]


def signed(estimate: Estimate) -> str:
    """`+0.015 [+0.010, +0.021]`."""
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def sign(estimate: Estimate) -> str:
    """`+`, `-`, or `0` where the interval holds zero."""
    return "+" if estimate.low > 0 else "-" if estimate.high < 0 else "0"


def in_all(models: Sequence[object]) -> str:
    """`in all 3 models`; one model is called what it is."""
    return f"in all {len(models)} models" if len(models) > 1 else "in the one model there is"


def spread_sentence(spread: tuple[float, int]) -> str:
    """How far trainings with another seed scatter, which the intervals include."""
    deviation, freedom = spread
    if not freedom:
        return "No arm has two seeds, so how far trainings scatter is unknown."
    return f"Seeds of one arm scatter by {deviation:.3f} (standard deviation, {freedom} degrees of freedom)."
