"""Speaker similarity: cosine of two speaker embeddings (section 3.2.2, there with ESPnet-SPK's WavLM)."""

from collections.abc import Sequence
from importlib import import_module

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.scorer import Scorer


def resemblyzer(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    return import_module("codec_cliff.metrics.speakers.resemblyzer").Resemblyzer()


def campplus(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    return import_module("codec_cliff.metrics.speakers.campplus").CamPlusPlus()


def espnet_wavlm(utterances: Sequence[Utterance], cache: str | None, device: str) -> Scorer:
    module = import_module("codec_cliff.metrics.speakers.espnet")  # in an environment of its own: envs/espnet.yaml
    return module.EspnetWavlm(cache, device)


BACKENDS = {"resemblyzer": resemblyzer, "campplus": campplus, "espnet_wavlm": espnet_wavlm}
