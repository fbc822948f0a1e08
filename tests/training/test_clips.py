"""Training clips: DAC's loader's loudness, salience and phase, as pure functions of recordings, seed and clip number."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from audiotools import AudioSignal
from audiotools.data import transforms
from scipy.signal import lfilter

from codec_cliff.corpus.store import crop, cut
from codec_cliff.training import clips as clips_module
from codec_cliff.training.clips import ClipSource, loudness, loudness_ceiling, shift_phase, step_clips


@pytest.fixture
def run(tiny_run):
    """DAC's clips: the settings of config.yaml."""
    return tiny_run


@pytest.mark.parametrize("n_samples", [6080, 8000, 30001])
def test_loudness_is_audiotools(n_samples):
    random = np.random.default_rng(0)
    audio = random.standard_normal((3, n_samples)) * np.array([[0.2], [0.01], [0.0]])
    audio[1, n_samples // 2 :] = 0
    audio = audio.astype(np.float32)
    theirs = AudioSignal(torch.from_numpy(audio)[:, None], 16000).loudness()
    np.testing.assert_allclose(loudness(audio, 16000), theirs, atol=0.01)
    assert loudness(audio, 16000)[2] == -70


def test_crops_and_gains_are_those_of_the_filters_one_after_the_other(run, store, monkeypatch):
    """As the clips of earlier versions were chosen: the same crops, the same gains, bit for bit."""

    def one_after_the_other(sections, audio):
        for section in sections:
            audio = lfilter(section[:3], section[3:], audio)
        return audio

    first = [crop(store, run.seed, number, run.clip_samples) for number in range(24)]
    middle = float(np.median(loudness(cut(store, first, run.clip_samples), run.sample_rate)))
    run = replace(run, batch_clips=24, training=replace(run.training, salient_loudness=middle))
    now = [step_clips(store, run, step) for step in range(4)]
    monkeypatch.setattr(clips_module, "sosfilt", one_after_the_other)
    for step, clips in enumerate(now):
        before = step_clips(store, run, step)
        assert clips.crops == before.crops
        assert np.array_equal(clips.gains, before.gains)
    assert first != now[0].crops  # some were drawn anew


def test_phase_shift_is_audiotools():
    audio = torch.randn(2, 6080) * 0.1
    for row, phase in zip(audio, (0.7, -2.0), strict=True):
        signal = AudioSignal(row[None, None].clone(), 16000)
        theirs = transforms.ShiftPhase(("const", phase))
        theirs = theirs(signal, **theirs.instantiate(0, signal)).audio_data[0]
        torch.testing.assert_close(shift_phase(row[None], torch.tensor([phase])), theirs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(shift_phase(audio, torch.zeros(2)), audio, atol=1e-6, rtol=1e-5)


def test_clips_have_one_loudness_and_never_clip(run, store):
    clips = step_clips(store, run, 3)
    heard = cut(store, clips.crops, run.clip_samples) * clips.gains[:, None]
    for row, level in zip(heard, loudness(heard, run.sample_rate), strict=True):
        assert level == pytest.approx(run.training.loudness, abs=0.05) or np.abs(row).max() == pytest.approx(
            1, abs=1e-5
        )
    assert np.abs(heard).max() <= 1 + 1e-6


def test_a_quiet_crop_is_drawn_anew_in_the_same_utterance(run, store):
    first = [crop(store, run.seed, number, run.clip_samples) for number in range(2)]
    levels = loudness(cut(store, first, run.clip_samples), run.sample_rate)
    picky = replace(run, training=replace(run.training, salient_loudness=float(levels.max()) + 0.01, salient_tries=3))
    again = step_clips(store, picky, 0).crops
    assert [clip.index for clip in again] == [clip.index for clip in first]
    tries = [[crop(store, run.seed, number, run.clip_samples, attempt) for attempt in range(3)] for number in range(2)]
    assert all(clip in drawn[1:] for clip, drawn in zip(again, tries, strict=True))
    assert again == step_clips(store, picky, 0).crops


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_the_crop_kept_is_the_first_loud_enough_and_else_the_last(run, store, tries):
    samples = store.samples.copy()
    samples[store.offsets[0] : store.offsets[1]] = 0  # one utterance is silent, another nearly
    samples[store.offsets[1] : store.offsets[2]] //= 1000
    store = replace(store, samples=samples)
    drawn = [[crop(store, run.seed, number, run.clip_samples, a) for a in range(tries)] for number in range(48)]
    levels = [loudness(cut(store, crops, run.clip_samples), run.sample_rate) for crops in drawn]
    limit = float(np.quantile([row[0] for row in levels], 0.7))
    run = replace(run, training=replace(run.training, salient_loudness=limit, salient_tries=tries))
    clips = step_clips(store, run, 0, count=48)
    kept = [next((a for a, level in enumerate(row) if level > limit), tries - 1) for row in levels]
    assert clips.crops == [crops[a] for crops, a in zip(drawn, kept, strict=True)]
    at_one_loudness = run.training.loudness - np.array([row[a] for row, a in zip(levels, kept, strict=True)])
    peaks = np.abs(cut(store, clips.crops, run.clip_samples)).max(axis=1)
    free = peaks * 10 ** (at_one_loudness / 20) <= 1  # of the others, full scale holds the gain back
    np.testing.assert_allclose(20 * np.log10(clips.gains[free]), at_one_loudness[free], atol=1e-4)
    assert free.any()


@pytest.mark.parametrize("sample_rate", [16000, 44100])
def test_no_clip_is_louder_than_its_ceiling(sample_rate):
    n_samples = int(0.38 * sample_rate)
    time = np.arange(n_samples) / sample_rate
    tones = np.stack([np.sin(2 * np.pi * hertz * time) for hertz in np.geomspace(20, sample_rate / 2.01, 40)])
    noise = np.random.default_rng(0).standard_normal((40, n_samples)) * np.geomspace(1e-5, 1, 40)[:, None]
    short = noise * (time > 0.3)
    audio = np.concatenate([tones, noise, short, np.zeros((1, n_samples))]).astype(np.float32)
    assert np.all(loudness(audio, sample_rate) <= loudness_ceiling(audio, sample_rate))
    loud = tones[-6:].astype(np.float32)  # and it is near them where the filter amplifies most
    assert np.all(loudness_ceiling(loud, sample_rate) - loudness(loud, sample_rate) < 1)


def test_clips_as_recorded_when_nothing_is_asked_for(run, store):
    plain = replace(run, training=replace(run.training, loudness=None, salient_loudness=None, phase_shift=False))
    clips = step_clips(store, plain, 5)
    audio = ClipSource(store, plain, "cpu", resident=False).audio(clips)
    assert np.array_equal(audio[:, 0].numpy(), cut(store, clips.crops, plain.clip_samples))


def test_part_of_a_batch_is_part_of_the_whole(run, store):
    run = replace(run, batch_clips=6)
    whole, part = step_clips(store, run, 2), step_clips(store, run, 2, first=2, count=3)
    assert part.crops == whole.crops[2:5]
    assert np.array_equal(part.gains, whole.gains[2:5])
    assert np.array_equal(part.phases, whole.phases[2:5])


def test_a_resident_store_is_never_copied_whole_on_the_host(run, store, monkeypatch):
    monkeypatch.setattr(clips_module, "CHUNK", 1000, raising=False)
    tracemalloc.start()
    try:
        source = ClipSource(store, run, "cpu", resident=True)
        _, peak = tracemalloc.get_traced_memory()  # of numpy; torch's own allocations are not seen
    finally:
        tracemalloc.stop()
    assert peak < store.samples.nbytes / 4
    assert np.array_equal(source.samples.numpy(), store.samples)


def test_a_resident_store_cuts_the_same_clips(run, store):
    run = replace(run, batch_clips=6)
    clips = step_clips(store, run, 0)
    assert any(clip.length < run.clip_samples for clip in clips.crops)  # a short utterance is padded on both ways
    cut_here, cut_there = (ClipSource(store, run, "cpu", resident).audio(clips) for resident in (False, True))
    assert torch.equal(cut_here, cut_there)
