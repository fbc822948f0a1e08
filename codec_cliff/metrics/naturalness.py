"""Pseudo mean opinion scores: naturalness without a reference (section 3.2.4)."""

from collections.abc import Sequence
from importlib import import_module

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.scorer import Scorer


def distillmos(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    return import_module("codec_cliff.metrics.predictors.distillmos").DistillMos(device)


def dnsmos_p808(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    return import_module("codec_cliff.metrics.predictors.dnsmos").DnsmosP808()


def utmos22_strong(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    module = import_module("codec_cliff.metrics.predictors.utmos22")  # torch: only this backend pays for it
    return module.Utmos22Strong(cache, device)


def utmos22_strong_padded(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    module = import_module("codec_cliff.metrics.predictors.utmos22")
    return module.PaddedUtmos22Strong(cache, device)


BACKENDS = {
    "distillmos": distillmos,
    "dnsmos_p808": dnsmos_p808,
    "utmos22_strong": utmos22_strong,
    "utmos22_strong_padded": utmos22_strong_padded,
}
