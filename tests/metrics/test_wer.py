"""Word errors: the counting, and the way to MMS-1B on a tiny stand-in of its own format."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.transcripts import normalise
from codec_cliff.errors import DownloadError, MetricError
from codec_cliff.metrics.wer import BACKENDS, WordErrors, word_errors
from tests.internet import weights

RATE = 16000


class Parrot:
    """Hears what it was told to."""

    backend, revision, sample_rate, batch_utterances = "parrot", "1", RATE, 1

    def __init__(self, text: str):
        self.text = text

    def transcribe(self, audio):
        return [self.text for _ in audio]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Mary-Ann's  HAT!", "mary ann's hat"), (" DON'T\tSTOP ", "don't stop"), ("7 - 8", ""), ("naïve", "naive")],
)
def test_normalise(text, expected):
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "insertions"),
    [
        ("a b c", "a b c", 0, 0),
        ("a b c", "", 3, 0),
        ("a b c", "a x c", 1, 0),
        ("a b c", "a b c d", 1, 1),
        ("a b", "a b a b a b", 4, 4),
        ("", "a b", 2, 2),
        ("", "", 0, 0),
    ],
)
def test_word_errors(reference, hypothesis, errors, insertions):
    assert word_errors(reference, hypothesis) == (errors, insertions)


def test_counts_of_a_corpus_can_exceed_its_words():
    utterance = Utterance("u", "s", "u.flac", 1, RATE, "YES NO")
    row = WordErrors(Parrot("yes oh well no i do not know")).score(utterance, None, np.zeros(1))
    assert row["errors"] / row["reference_words"] == 3
    assert (row["insertions"], row["beyond_all"]) == (6, 1)
    assert WordErrors(Parrot("yes oh")).score(utterance, None, np.zeros(1))["beyond_all"] == 0
    assert WordErrors(Parrot("Yes, no.")).score(utterance, None, np.zeros(1))["errors"] == 0


def test_hyphens_that_are_kept_make_one_word_and_are_named():
    utterance = Utterance("u", "s", "u.flac", 1, RATE, "A WELL KNOWN MAN")
    kept = WordErrors(Parrot("a well-known man"), "hyphens")
    row = kept.score(utterance, None, np.zeros(1))
    assert (row["normaliser"], row["errors"], row["errors_plain"], row["errors_whisper"]) == ("hyphens", 2, 0, 0)
    assert kept.revision == "1, hyphens kept"
    assert "errors_hyphens" not in WordErrors(Parrot("a")).score(utterance, None, np.zeros(1))


def test_both_normalisers_count_and_the_chosen_one_is_the_headline():
    utterance = Utterance("u", "s", "u.flac", 1, RATE, "IT IS THE COLOUR")
    plain = WordErrors(Parrot("It's the color.")).score(utterance, None, np.zeros(1))
    assert (plain["normaliser"], plain["reference_words"], plain["errors"]) == ("plain", 4, 3)
    assert (plain["reference_words_whisper"], plain["errors_whisper"]) == (4, 0)
    assert plain["hypothesis"] == "It's the color."
    whisper = WordErrors(Parrot("It's the color."), "whisper").score(utterance, None, np.zeros(1))
    assert (whisper["normaliser"], whisper["errors"], whisper["errors_plain"]) == ("whisper", 0, 3)


@pytest.fixture(scope="module")
def tiny_mms(tmp_path_factory) -> Path:
    """A random Wav2Vec2ForCTC with adapters, saved as facebook/mms-1b-all is: one vocabulary and adapter file a language."""
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("mms")
    weights.mms(folder)
    return folder


def test_mms_loads_its_english_adapter_and_decodes_greedily(tiny_mms):
    import torch
    from safetensors.torch import load_file

    from codec_cliff.metrics.recognisers.mms import Mms

    mms = Mms(None, "cpu", tiny_mms)
    english, loaded = load_file(tiny_mms / "adapter.eng.safetensors"), mms.model._get_adapters()
    assert english.keys() == loaded.keys()
    assert all(torch.equal(loaded[name], value) for name, value in english.items())
    assert not torch.equal(loaded["lm_head.weight"], load_file(tiny_mms / "model.safetensors")["lm_head.weight"])
    audio = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    text = mms.transcribe([audio])[0]
    normalised = torch.from_numpy((audio - audio.mean()) / np.sqrt(audio.var() + 1e-7))
    with torch.no_grad():
        tokens = mms.model(normalised[None]).logits[0].argmax(-1).unique_consecutive().tolist()
    letters = ["", "", "", "", " ", *"abcdefghijklmnopqrstuvwxyz'"]  # marks are no speech
    assert normalise(text) == normalise("".join(letters[token] for token in tokens))


def test_mms_scores_no_mark_of_its_vocabulary_as_a_word(tiny_mms, monkeypatch):
    """One of 50 frames a second: a, unknown, a, blank, a, |, unknown, |, b."""
    import torch

    from codec_cliff.metrics.recognisers.mms import Mms

    mms = Mms(None, "cpu", tiny_mms)
    tokens = torch.tensor([5, 3, 5, 0, 5, 4, 3, 4, 6])
    logits = SimpleNamespace(logits=torch.nn.functional.one_hot(tokens, 32)[None].float())
    monkeypatch.setattr(mms.model, "forward", lambda *_, **__: logits)
    heard = mms.transcribe([np.ones(400 + 8 * 320, np.float32)])[0]
    assert normalise(heard) == "aaa b"


def test_mms_in_half_precision_is_named_and_hears_in_that(tiny_mms):
    import torch

    from codec_cliff.metrics.recognisers.mms import Mms

    mms = Mms(None, "cpu", tiny_mms, half=True)
    assert mms.revision.endswith(", float16")
    assert mms.model.lm_head.weight.dtype == torch.float16
    audio = [np.random.default_rng(2).normal(size=n).astype(np.float32) for n in (RATE, 5000)]
    assert all(isinstance(text, str) for text in mms.transcribe(audio))
    assert not Mms(None, "cpu", tiny_mms).revision.endswith("float16")


def test_mms_in_a_padded_batch_hears_what_it_hears_alone(tiny_mms):
    from codec_cliff.metrics.recognisers.mms import Mms, alike

    mms = Mms(None, "cpu", tiny_mms)
    rng = np.random.default_rng(1)
    audio = [rng.normal(size=n).astype(np.float32) for n in (RATE, RATE // 2, RATE + 77, 5000)]
    assert alike([1.0, 0.5, 1.005, 0.3], 160) == [[3, 1, 0, 2]]
    assert alike([3, 1, 1, 9], 4) == [[1, 2], [0], [3]]
    together = mms.transcribe(audio)
    assert len(set(together)) > 1
    assert together == [mms.transcribe([recording])[0] for recording in audio]


def test_mms_files_that_are_none_name_the_remedy(tmp_path):
    from codec_cliff.metrics.recognisers.mms import Mms

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MetricError, match=r"cannot be loaded as MMS.*delete it"):
        Mms(None, "cpu", tmp_path)


def damaged(tiny_mms: Path, folder: Path, **changes) -> Path:
    """A copy of the files whose weights, by the ends of their names, are others, or none at all."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_mms, folder)
    state = load_file(folder / "model.safetensors")
    for end, value in changes.items():
        for name in [name for name in state if name.endswith(end.replace("__", "."))]:
            state[name] = value
    state = {name: value for name, value in state.items() if value is not None}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("shape", [None, (3,)])
def test_mms_whose_files_lack_weights_is_refused(tiny_mms, tmp_path, shape):
    import torch

    from codec_cliff.metrics.recognisers.mms import Mms

    folder = damaged(tiny_mms, tmp_path / "mms", encoder__layer_norm__weight=shape and torch.zeros(shape))
    with pytest.raises(MetricError, match=r"lacks 1 weights.*encoder\.layer_norm\.weight.*delete it.*uv sync"):
        Mms(None, "cpu", folder)


def test_mms_may_lack_what_training_alone_needs_and_what_the_language_brings(tiny_mms, tmp_path):
    import torch

    from codec_cliff.metrics.recognisers.mms import Mms

    audio = [np.random.default_rng(0).normal(size=RATE).astype(np.float32)]
    gone = {"masked_spec_embed": None, "adapter_layer__norm__bias": None, "lm_head__bias": torch.zeros(9)}
    folder = damaged(tiny_mms, tmp_path / "mms", **gone)
    assert Mms(None, "cpu", folder).transcribe(audio) == Mms(None, "cpu", tiny_mms).transcribe(audio)


def test_mms_hears_nothing_below_a_tenth_of_a_second(tiny_mms):
    from codec_cliff.metrics.recognisers.mms import Mms

    mms = Mms(None, "cpu", tiny_mms)
    rng = np.random.default_rng(3)
    audio = [rng.normal(size=n).astype(np.float32) for n in (0, RATE, 399, 1599, 5000)]
    assert mms.transcribe(audio) == ["", *mms.transcribe([audio[1]]), "", "", *mms.transcribe([audio[4]])]
    assert mms.transcribe(audio[:1]) == [""]


def test_mms_that_cannot_be_fetched_names_the_model_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match=r"config\.json of .*facebook/mms-1b-all \(3d33597.*hf download"):
        BACKENDS["mms_1b_all"]([], str(tmp_path), "cpu")


def test_whispers_normaliser_deletes_bracketed_words_and_hesitations_and_plain_keeps_them():
    utterance = Utterance("u", "s", "u.flac", 1, 16000, "hmm he (she said) it [sic]")
    row = WordErrors(Parrot("he it"), "plain").score(utterance, None, np.zeros(1))
    assert (row["reference_words"], row["errors"]) == (6, 4)
    assert (row["reference_words_whisper"], row["errors_whisper"]) == (2, 0)
