"""Which metrics are measured, and by which backend of each: what comes with the package, or what the paper used."""

from collections.abc import Mapping, Sequence
from importlib import import_module

import yaml

from codec_cliff.errors import MetricError
from codec_cliff.metrics.construct import EMBEDDED, METRICS, construct
from codec_cliff.study.messages import suggestion
from codec_cliff.study.schema import SCHEMA

WORDS = "wer"
WORDS_OF_ORIGINAL = "wer_of_original"  # the same backends, against the recogniser's own transcript of the original


def embedded_backends() -> dict[str, str]:
    """The backend of each metric that comes with the package; the first one of a metric that EMBEDDED does not name."""
    return {metric: EMBEDDED.get(metric) or backends_of(metric)[0] for metric in METRICS}


def paper_backends() -> dict[str, str]:
    """The paper's backend of each metric, the defaults of a study; of a metric that has none, the embedded one."""
    listed = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["properties"]["metrics"]["properties"]
    return embedded_backends() | {
        metric: listed[metric]["default"] for metric in METRICS if "default" in listed[metric]
    }


SETS = {"embedded": embedded_backends, "paper": paper_backends}


def choose(metrics: str | None, backends: str) -> dict[str, str]:
    """Backend by metric from `stoi,wer` (None: all) and `embedded`, `paper` or `wer=moonshine,...`; MetricError on unknown names."""
    wanted = metrics.replace(",", " ").split() if metrics else list(METRICS)
    for metric in wanted:
        if metric not in METRICS:
            raise MetricError(
                f"--metrics: no metric {metric!r}{suggestion(metric, METRICS)}; known: {', '.join(METRICS)}"
            )
    chosen = _backends(backends.replace(",", " ").split())
    for metric in wanted:
        construct(metric, chosen[metric])
    return {metric: chosen[metric] for metric in METRICS if metric in wanted}


def _backends(named: Sequence[str]) -> dict[str, str]:
    chosen = SETS["embedded"]()
    for name in named:
        metric, mark, backend = name.partition("=")
        if name in SETS:
            chosen |= SETS[name]()
        elif mark and metric in METRICS:
            chosen[metric] = backend
        else:
            raise MetricError(f"--backends: {name!r} is neither {' nor '.join(SETS)} nor <metric>=<backend>")
    return chosen


def of_words(backends: Mapping[str, str], transcribed: bool) -> dict[str, str]:
    """The backends with word errors under the name that fits: WER needs transcripts."""
    name = WORDS if transcribed else WORDS_OF_ORIGINAL
    return {name if metric == WORDS else metric: backend for metric, backend in backends.items()}


def module_of(metric: str) -> str:
    """The metric whose backends measure this one."""
    return WORDS if metric == WORDS_OF_ORIGINAL else metric


def backends_of(metric: str) -> list[str]:
    return list(import_module(f"codec_cliff.metrics.{metric}").BACKENDS)
