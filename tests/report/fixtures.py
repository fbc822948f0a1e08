"""Fabricated results of a small study: every file that the statistics and the report read, with made-up figures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from codec_cliff.codes.usage import rows as usage_rows
from codec_cliff.files import write_csv
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.statistics.claims import verdicts
from codec_cliff.statistics.results import Results
from codec_cliff.statistics.summary import comparisons, default_codecs, phonemes, read_rows, summary
from codec_cliff.study.config import Run, Study
from codec_cliff.study.load import load_study
from tests.paths import ROOT

SPEAKERS, UTTERANCES = 12, 3
CONTROL = "6.25hz-fixed-tokens-matched-audio"


def demo_config() -> dict:
    """config.yaml with the embedded backends, fewer published codecs and a small model."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["study"] = "demo"
    config["corpus"] |= {"kind": "synthetic", "root": None, "train": ["train"], "test": ["test"]}
    config["model"] |= {"encoder_dim": 8, "decoder_dim": 128}
    config["training"]["steps"] = 500
    config["tables"]["reference_codecs"] = ["dac_16k", "mimi_8", "mimi_32", "opus_12"]
    config["metrics"] |= {"wer": "moonshine_tiny", "naturalness": "distillmos"}
    config["metrics"] |= {"mcd": "mel_cepstral_distance", "spk_sim": "resemblyzer"}
    config["statistics"]["bootstrap_samples"] = 200
    return config


def paper_config() -> dict:
    """config.yaml, unchanged but for a quick bootstrap."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["statistics"]["bootstrap_samples"] = 200
    return config


def fabricate(results: Path, config: dict, controls: tuple[str, ...] = ()) -> Study:
    """Write the inputs of `python -m codec_cliff.statistics` and of the report under `results`."""
    study = load_study(config)
    for number, codec in enumerate([*study.evaluated, *controls]):
        _metrics(results / "metrics" / codec, study, _quality(study, codec), np.random.default_rng(number))
        _json(results / "reconstruction" / codec / "codec.json", _facts(study, codec))
    for codec in [*study.trained, *controls]:
        _codebook(results / "codebook" / f"{codec}.csv", study.runs[codec])
        _json(results / "runs" / codec / "run.json", _run_record(study.runs[codec]))
    _phonemes(results / "alignment" / "phonemes_per_frame.csv", study)
    _coverage(results / "probes" / "coverage.csv", study)
    skipped = results / "data" / "train.skipped.tsv"
    skipped.parent.mkdir(parents=True, exist_ok=True)
    skipped.write_text("path\treason\ntrain/1.flac\tempty <file>\n")
    (results / "data" / "test.skipped.tsv").write_text("path\treason\n")
    return study


def built(folder: Path, config: dict) -> tuple[Study, Results]:
    """Fabricated results, a control among them, with their statistics."""
    study = fabricate(folder, config, controls=(CONTROL,))
    codecs = default_codecs(study, folder)
    counts = read_rows(folder / "alignment" / "phonemes_per_frame.csv")
    frames = {
        "summary": summary(study, folder, codecs),
        "comparisons": comparisons(study, folder, codecs),
        "phonemes": phonemes(counts, Resampling.of(study)),
    }
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    write_csv(folder / "claims.csv", verdicts(study, folder))
    codes = np.random.default_rng(0).integers(0, 1024, (12, 160))
    usage = [row for codec in study.trained for row in usage_rows(codec, codes, 1024, 100, 0)]
    write_csv(folder / "codebook" / "usage.csv", usage)
    return study, Results(folder)


def _quality(study: Study, codec: str) -> float:
    """A made-up quality between 0 and 1 that falls with the frame rate, and off a cliff without enough tokens."""
    run = study.runs.get(study.repaired.get(codec, codec))
    if run is None:
        return 1.0 if codec == "original" else 0.9
    cliff = {3: 0.5, 2: 0.6, 1: 0.7}.get(run.tokens_per_clip, 0) * (0.7 if codec in study.repaired else 1)
    return (0.95 - 0.25 * np.log10(100 / run.frame_rate)) * (1 - cliff)


def _ids() -> dict[str, list[str]]:
    pairs = [(f"s{speaker}-{n}", f"s{speaker}") for speaker in range(SPEAKERS) for n in range(UTTERANCES)]
    return {"utterance_id": [pair[0] for pair in pairs], "speaker_id": [pair[1] for pair in pairs]}


def _metrics(folder: Path, study: Study, quality: float, rng: np.random.Generator) -> None:
    noise = np.repeat(rng.normal(0, 0.03, SPEAKERS), UTTERANCES) + rng.normal(0, 0.02, SPEAKERS * UTTERANCES)
    score = np.clip(quality + noise, 0, 1)
    words = rng.integers(5, 12, len(score))
    errors = rng.poisson(words * 1.2 * (1 - score) + 0.02)
    naturalness = "utmos" if study.metrics["naturalness"].startswith("utmos") else "distillmos"
    files = {
        "stoi": {"stoi": score, "stoi_aligned": score, "lag_ms": noise * 10, "level_difference_db": noise},
        "wer": {
            "reference_words": words,
            "errors": errors,
            "insertions": errors // 2,
            "beyond_all": (errors > words).astype(int),
            "hypothesis": ["a | b & c"] * len(score),
        },
        "mcd": {"mcd": 10 * (1 - score), "mcd_matched": 12 * (1 - score)},
        "spk_sim": {"spk_sim": score},
        "naturalness": {naturalness: 1 + 3 * score},
    }
    for file, columns in files.items():
        frame = pd.DataFrame({**_ids(), "backend": study.metrics[file], "revision": "1.0", **columns})
        if file == "stoi":
            frame.loc[0, ["stoi", "stoi_aligned"]] = None  # one utterance that cannot be scored
        _csv(folder / f"{file}.csv", frame)


def _facts(study: Study, codec: str) -> dict:
    run = study.runs.get(study.repaired.get(codec, codec))
    facts = dict.fromkeys(("frame_rate", "n_codebooks", "codebook_size", "bitrate"))
    if run is not None:
        facts = {"frame_rate": run.frame_rate, "n_codebooks": 12, "codebook_size": 1024, "bitrate": run.bitrate}
    elif codec != "original":
        facts = {"frame_rate": 50.0, "n_codebooks": 12, "codebook_size": 1024, "bitrate": 6000.0}
    return {"codec": codec, "sample_rate": 16000, **facts, "device": "CPU", "seconds": 3.0, "audio_seconds": 30.0}


def _run_record(run: Run) -> dict:
    collapsed = run.codec == "6.25hz-fixed-duration"
    return {
        "codec": run.codec,
        "protocol": run.protocol,
        "frame_rate": run.frame_rate,
        "seed": run.seed,
        "steps": run.training.steps,
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "versions": {"python": "3.11.7", "torch": "2.11.0"},
        "device": "CPU (x86_64)",
        "seconds": 12.3,
        "audio_seconds": 456.0,
        "peak_memory_bytes": 123456789,
        "gpu_hours": 0.0,
        "collapsed": collapsed,
        "warnings": ["codebook 0 <collapsed>"] if collapsed else [],
    }


def _codebook(path: Path, run: Run) -> None:
    row = {"n_frames": int(run.frame_rate * 100), "n_frames_equal": 160}
    for name, value in (("utilization", 0.99), ("entropy_efficiency", 0.85)):
        row |= {name: value, f"{name}_low": value - 0.01, f"{name}_high": value + 0.005}
        row[f"{name}_equal_frames"] = value - 0.1
    _csv(path, pd.DataFrame([{"level": level, **row} for level in ("0", "1", "mean")]))


def _phonemes(path: Path, study: Study) -> None:
    rng = np.random.default_rng(0)
    ids, seconds = _ids(), rng.uniform(2, 10, SPEAKERS * UTTERANCES)
    phones = np.round(seconds * rng.normal(12, 0.8, len(seconds)))
    frames = []
    for rate in (rate.frame_rate for rate in study.frame_rates):
        n_frames = np.ceil(seconds * rate)
        counts = {"phones": phones, "overlapping": phones + n_frames, "distinct": phones + 0.8 * n_frames}
        silences = {f"{name}_with_silence": 1.1 * values for name, values in counts.items()}
        times = {"frame_rate": rate, "seconds": seconds, "speech_seconds": 0.9 * seconds, "n_frames": n_frames}
        shares = rng.multinomial(n_frames.astype(int), np.full(16, 1 / 16))
        bins = {f"frames_with_{number}": shares[:, number] for number in range(16)}
        frames.append(pd.DataFrame({**ids, **times, **counts, **silences, **bins}))
    _csv(path, pd.concat(frames))


def _coverage(path: Path, study: Study) -> None:
    rows = []
    for run in (study.runs[codec] for codec in study.trained):
        uncovered = {3: 2, 2: 4, 1: 6}.get(run.tokens_per_clip, 0)
        layers = f"decoder.model.0: {uncovered} of 7" if uncovered else ""
        names = {"codec": run.codec, "frame_rate": run.frame_rate, "protocol": run.protocol}
        clips = {"tokens_per_clip": run.tokens_per_clip, "clip_seconds": run.clip_seconds, "padded_share": 0.0}
        rows.append({**names, **clips, "taps": 336, "uncovered_taps": uncovered, "layers": layers})
    _csv(path, pd.DataFrame(rows))


def _csv(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)


def _json(path: Path, values: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
