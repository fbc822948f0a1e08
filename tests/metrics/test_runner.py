"""The command: reference and reconstruction must belong together, and the table says what was measured with what."""

import csv

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.errors import MetricError
from codec_cliff.metrics import references
from codec_cliff.metrics.__main__ import main, write
from codec_cliff.metrics.construct import construct
from codec_cliff.metrics.pairs import open_pairs
from codec_cliff.metrics.rows import check_samples, checked

RATE = 16000
N_SAMPLES = (2 * RATE + 1, 3 * RATE)


def reconstruct(folder, name: str, audio: list[np.ndarray], rate: int = RATE):
    """Write FLACs and their manifest; the manifest's path."""
    rows = []
    for number, samples in enumerate(audio):
        path = folder / f"{name}-{number}.flac"
        soundfile.write(path, samples, rate, subtype="PCM_16")
        rows.append(Utterance(f"u{number}", "s", str(path), len(samples), rate, "HELLO"))
    write_manifest(folder / f"{name}.tsv", rows)
    return folder / f"{name}.tsv"


@pytest.fixture
def split(tmp_path):
    """A manifest and store of two noisy utterances, with their samples."""
    rng = np.random.default_rng(0)
    audio = [(rng.normal(scale=0.1, size=n).clip(-1, 0.99) * 32768).astype(np.int16) for n in N_SAMPLES]
    manifest = reconstruct(tmp_path, "test", audio)
    np.save(tmp_path / "test.npy", np.concatenate(audio))
    return manifest, tmp_path / "test.npy", audio


def test_the_originals_measured_against_themselves(split, tmp_path):
    manifest, store, _ = split
    output = tmp_path / "metrics" / "stoi.csv"
    main(
        f"--metric stoi --backend pystoi --manifest {manifest} --store {store} "
        f"--reconstruction {manifest} --output {output}".split()
    )
    rows = list(csv.DictReader(output.open()))
    assert [row["utterance_id"] for row in rows] == ["u0", "u1"]
    assert {(row["backend"], row["speaker_id"]) for row in rows} == {("pystoi", "s")}
    assert all(float(row["stoi"]) == pytest.approx(1) and float(row["lag_ms"]) == 0 for row in rows)


@pytest.mark.parametrize(
    ("metric", "backend"), [("stoi", "pystoi"), ("mcd", "mel_cepstral_distance"), ("spk_sim", "resemblyzer")]
)
def test_what_is_known_of_the_recordings_is_computed_once_and_changes_no_figure(split, tmp_path, metric, backend):
    manifest, store, audio = split
    noise = np.random.default_rng(1).integers(-500, 500, size=N_SAMPLES[1])
    degraded = reconstruct(tmp_path, "noisy", [samples + noise[: len(samples)].astype(np.int16) for samples in audio])
    common = f"--metric {metric} --backend {backend} --manifest {manifest} --store {store}"
    shared = tmp_path / "references" / f"{metric}.npz"
    references.main(f"{common} --output {shared}".split())
    main(f"{common} --reconstruction {degraded} --output {tmp_path / 'alone.csv'}".split())
    main(f"{common} --reconstruction {degraded} --references {shared} --output {tmp_path / 'shared.csv'}".split())
    assert (tmp_path / "shared.csv").read_text() == (tmp_path / "alone.csv").read_text()


def test_features_of_other_recordings_are_refused(split, tmp_path):
    manifest, store, audio = split
    shared = tmp_path / "stoi.npz"
    references.main(f"--metric stoi --backend pystoi --manifest {manifest} --store {store} --output {shared}".split())
    other = reconstruct(tmp_path, "other", audio[:1])
    np.save(tmp_path / "other.npy", audio[0])
    with pytest.raises(MetricError, match=r"stoi\.npz: holds the features of other recordings.*delete it"):
        main(
            f"--metric stoi --backend pystoi --manifest {other} --store {tmp_path / 'other.npy'} --reconstruction {other} "
            f"--references {shared} --output {tmp_path / 'x.csv'}".split()
        )


def test_audio_at_another_rate_is_brought_to_the_reference(split, tmp_path):
    manifest, store, audio = split
    twice = reconstruct(tmp_path, "twice", [np.repeat(samples, 2) for samples in audio], rate=2 * RATE)
    for (_, reference, degraded), samples in zip(open_pairs(manifest, store, twice).at(None), audio, strict=True):
        assert len(reference) == len(degraded) == len(samples)
        assert np.corrcoef(reference, degraded)[0, 1] > 0.8


def test_pairs_come_at_the_rate_that_a_scorer_wants(split):
    manifest, store, _ = split
    pairs = list(open_pairs(manifest, store, manifest).at(8000))
    assert [len(reference) for _, reference, _ in pairs] == [RATE + 1, 3 * RATE // 2]


def test_a_reconstruction_of_other_utterances_is_refused(split, tmp_path):
    manifest, store, audio = split
    fewer = reconstruct(tmp_path, "fewer", audio[:1])
    with pytest.raises(MetricError, match=r"fewer.tsv.*1 of 2, missing \['u1'\].*delete"):
        open_pairs(manifest, store, fewer)
    swapped = reconstruct(tmp_path, "swapped", audio)
    lines = swapped.read_text().splitlines()
    swapped.write_text("\n".join([lines[0], lines[2], lines[1]]) + "\n")
    with pytest.raises(MetricError, match="order"):
        open_pairs(manifest, store, swapped)


def test_a_reconstruction_of_another_duration_is_refused(split, tmp_path):
    manifest, store, audio = split
    shorter = reconstruct(tmp_path, "shorter", [audio[0], audio[1][:-1]])
    with pytest.raises(MetricError, match=r"u1 has 47999 samples at 16000 Hz.*asks for 48000"):
        open_pairs(manifest, store, shorter)
    wide = reconstruct(tmp_path, "wide", [np.zeros(48001, np.int16), np.zeros(72000, np.int16)], rate=24000)
    with pytest.raises(MetricError, match="asks for 48002"):  # ceil(32001 * 24000 / 16000)
        open_pairs(manifest, store, wide)


def test_an_unknown_backend_names_the_known_ones():
    with pytest.raises(MetricError, match="stoi: no backend 'stoy'; known: pystoi"):
        construct("stoi", "stoy")


def test_no_table_holds_nan_and_empty_cells_are_counted(tmp_path, capsys):
    with pytest.raises(MetricError, match="u0: stoi is nan"):
        checked({"stoi": float("nan")}, "u0")
    write(tmp_path / "t.csv", [{"utterance_id": "u0", "stoi": None}, {"utterance_id": "u1", "stoi": 0.5}])
    assert (tmp_path / "t.csv").read_text() == "utterance_id,stoi\nu0,\nu1,0.5\n"
    assert "stoi is undefined for 1 of 2" in capsys.readouterr().out


def test_samples_that_are_no_audio_are_named():
    audio = np.zeros(100, np.float32)
    check_samples(audio + 1.5, "u0")
    for value, message in (
        (np.nan, "u0: 1 of .*100 samples are NaN"),
        (32767, r"u0: .* 3\.277e\+04 times full scale; divide"),
    ):
        broken = audio.copy()
        broken[7] = value
        with pytest.raises(MetricError, match=message):
            check_samples(broken, "u0")


def test_a_reconstruction_of_zeros_is_named(split, tmp_path, capsys):
    manifest, store, audio = split
    silent = reconstruct(tmp_path, "silent", [audio[0], 0 * audio[1]])
    main(
        f"--metric mcd --backend mel_cepstral_distance --manifest {manifest} --store {store} "
        f"--reconstruction {silent} --output {tmp_path / 'mcd.csv'}".split()
    )
    assert [row["mcd"] for row in csv.DictReader((tmp_path / "mcd.csv").open())] == ["0.0", ""]
    assert "digital silence, every sample zero, in 1 reconstructions: u1" in capsys.readouterr().out
