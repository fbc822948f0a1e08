"""What is wrong with whose file, in words that name the remedy, and whether it was measured all the same."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from codec_cliff.files import write_csv


@dataclass(frozen=True)
class Problem:
    """`kind` groups problems of one sort; `measured` says whether the file takes part in the figures."""

    system: str
    utterance_id: str
    file: str
    kind: str
    problem: str
    measured: bool


def write_problems(path: Path, problems: Iterable[Problem]) -> None:
    """problems.csv; its header alone where there is nothing to say."""
    rows = [asdict(problem) | {"measured": "yes" if problem.measured else "no"} for problem in problems]
    write_csv(path, rows, [field.name for field in fields(Problem)])
