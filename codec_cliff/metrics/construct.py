"""A metric's backend by name; only that metric's module, and with it only its libraries, are imported."""

from importlib import import_module

from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Scorer

METRICS = (
    "stoi",
    "wer",
    "mcd",
    "spk_sim",
    "naturalness",
)

# The backend of each that comes with the package: offline, on a CPU.
EMBEDDED = {
    "stoi": "pystoi",
    "wer": "moonshine_tiny",
    "mcd": "mel_cepstral_distance",
    "spk_sim": "resemblyzer",
    "naturalness": "distillmos",
}


def construct(metric: str, backend: str) -> type[Scorer]:
    """The constructor of a metric's backend; MetricError names the known ones."""
    backends = import_module(f"codec_cliff.metrics.{metric}").BACKENDS
    if backend not in backends:
        raise MetricError(f"metrics.{metric}: no backend {backend!r}; known: {', '.join(backends)}")
    return backends[backend]
