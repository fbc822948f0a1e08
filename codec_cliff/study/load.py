"""A study's configuration, checked at the door."""

from collections.abc import Mapping
from typing import Any

from codec_cliff.study.checks import (
    check_corpus,
    check_frame_rates,
    check_gpus,
    check_probes,
    check_protocols,
    check_rates_of_tools,
    check_tables,
)
from codec_cliff.study.config import (
    Arms,
    Corpus,
    Discriminator,
    FrameRate,
    Losses,
    Model,
    Probes,
    Protocol,
    Study,
    Training,
    build,
    frozen,
)
from codec_cliff.study.schema import validated, with_paths
from codec_cliff.study.trainable import (
    check_clips,
    check_codebooks,
    check_discriminator,
    check_kept_steps,
    check_padding,
)


def load_study(values: Mapping[str, Any]) -> Study:
    """Check a merged configuration and freeze it.

    Raises ConfigError naming the key and the remedy, before any job starts: unknown keys, wrong types, strides whose product
    does not make the frame rate, a rate that does not divide the sample rate, unknown protocols, metrics, backends and codecs.
    """
    values = with_paths(validated(values))
    study = build(
        Study,
        {
            **values,
            "corpus": build(Corpus, values["corpus"]),
            "frame_rates": tuple(build(FrameRate, rate) for rate in values["frame_rates"]),
            "protocols": {name: build(Protocol, protocol) for name, protocol in values["protocols"].items()},
            "probes": _probes(values["probes"]),
            "model": build(Model, values["model"]),
            "discriminator": build(Discriminator, values["discriminator"]),
            "losses": build(Losses, values["losses"]),
            "training": build(Training, values["training"]),
        },
    )
    check_frame_rates(study)
    check_protocols(study)
    check_tables(study)
    check_corpus(study)
    check_probes(study)
    check_codebooks(study)
    check_discriminator(study)
    check_clips(study)
    check_padding(study)
    check_kept_steps(study)
    check_gpus(study)
    check_rates_of_tools(study)
    return study


def _probes(values: Mapping[str, Any]) -> Probes:
    arms = (Arms(**{name: frozen(value) for name, value in arms.items()}) for arms in values["arms"])
    return Probes(values["batch_seconds"], frozen(values["metrics"]), tuple(arms), values["variants"])
