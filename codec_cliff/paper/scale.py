"""What a study is not: where its configuration departs from config.yaml, the paper's, and where the paper is silent."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from codec_cliff.study.config import Study
from codec_cliff.study.load import load_study

ROOM = Path(__file__).resolve().parent
# A wheel carries the paper's study in this room; a checkout has it at its root, where Snakemake looks for it.
PAPER_STUDY = ROOM / "config.yaml" if (ROOM / "config.yaml").exists() else ROOM.parents[1] / "config.yaml"
NOT_COMPARED = ("study", "cache", "training.device", "training.log_every_steps", "training.checkpoint_every_seconds")
NO_SCALE = (
    "corpus.root",
    "corpus.bad_files",
    "metrics.",
    "statistics.",
    "controls.",
    "tables.",
    "alignment.",
    "transcripts.",
    "seed",
)
KEY = re.compile(r"^\s*-?\s*(?P<key>[\w-]+):")


@dataclass(frozen=True)
class Difference:
    """A configuration key, the paper study's value and this study's."""

    key: str
    paper: Any
    here: Any


def differences(study: Study, paper_study: Path = PAPER_STUDY) -> list[Difference]:
    """The values that differ from the paper's study, in its order; defaults are filled in on both sides."""
    theirs = _flat(asdict(load_study(yaml.safe_load(paper_study.read_text(encoding="utf-8")))))
    ours = _flat(asdict(study))
    keys = [key for key in theirs | ours if key not in NOT_COMPARED]
    return [Difference(key, theirs.get(key), ours.get(key)) for key in keys if theirs.get(key) != ours.get(key)]


def scale_differences(study: Study) -> list[Difference]:
    """Those that make the study's figures other than the paper's: corpus, model, training."""
    return [difference for difference in differences(study) if not difference.key.startswith(NO_SCALE)]


def statement(study: Study) -> str:
    """One plain sentence: whether this study's figures may be read as the paper's."""
    smaller = [difference.key for difference in scale_differences(study)]
    if not smaller:
        return (
            "This study has the paper's corpus, models and training, with the choices below where the paper is silent."
        )
    speech = "Its speech is synthetic. " if study.corpus.kind == "synthetic" else ""
    settings = f"{len(smaller)} settings of corpus, model and training" if len(smaller) > 1 else smaller[0]
    return f"This is a scale model; its figures are not the paper's. {speech}It departs from the paper in {settings}."


@dataclass(frozen=True)
class Choice:
    """A value that the paper does not state: its key in config.yaml, and why it is what it is."""

    key: str
    reason: str


def choices(paper_study: Path = PAPER_STUDY) -> list[Choice]:
    """The comments of config.yaml that say `ours:`; one on lines of its own, to their end, speaks of the key below it."""
    found, waiting = [], ""
    for line in paper_study.read_text(encoding="utf-8").splitlines():
        text, _, comment = line.partition("#")
        _, mark, reason = comment.partition("ours:")
        if key := KEY.match(text):
            found += [Choice(key["key"], said.strip()) for said in (waiting, reason) if said]
            waiting = ""
        elif mark or waiting:
            waiting += reason if mark else comment
    return found


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping) and value
        flat |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat
