"""The paper's published figures, read from paper.yaml, beside which the tables set ours."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

PAPER = Path(__file__).with_name("paper.yaml")
ABLATION_TABLES = {"fixed-duration": "table2", "fixed-tokens": "table4"}


@cache
def paper() -> dict[str, Any]:
    """Everything in paper.yaml."""
    return yaml.safe_load(PAPER.read_text(encoding="utf-8"))


def paper_reference(codec: str, metric: str) -> float | None:
    """A published codec's value in Table 1; None where the paper has none."""
    row = paper()["table1"]["rows"].get(codec, {})
    return _named("table1", row.get("values"), metric)


def paper_quality(protocol: str, frame_rate: float, metric: str) -> float | None:
    """A trained model's value in Table 2 (fixed-duration) or 4 (fixed-tokens); None where the paper has none."""
    table = ABLATION_TABLES[protocol]
    return _named(table, paper()[table]["rows"].get(frame_rate), metric)


def paper_codebook(frame_rate: float, column: str) -> float | None:
    """`utilization` or `entropy_efficiency` in Table 3; None where the paper has none."""
    return _named("table3", paper()["table3"]["rows"].get(frame_rate), column)


def table3_rates() -> list[float]:
    """The frame rates of Table 3, in Hz."""
    return list(paper()["table3"]["rows"])


def paper_phonemes(frame_rate: float | None) -> float | None:
    """Phonemes a frame at a frame rate, or a second where the rate is None (section 4.3); None where not stated."""
    stated = paper()["phonemes"]
    return stated["per_second"] if frame_rate is None else stated["per_frame"].get(frame_rate)


def paper_phonemes_over(frame_rate: float | None) -> float | None:
    """What the phonemes a frame exceed, where the paper says no more than that (section 4.3); None where it does not."""
    return paper()["phonemes"]["per_frame_over"].get(frame_rate)


def is_paper_backend(metric: str, backend: str) -> bool:
    """Whether a metric was measured with the backend that the paper names (section 3.2)."""
    known = paper()["backends"].get(metric)
    return known is not None and known["id"] == backend


def _named(table: str, values: list[float] | None, column: str) -> float | None:
    columns = paper()[table]["columns"]
    return dict(zip(columns, values, strict=True)).get(column) if values else None
