"""The embedded recogniser: CMU Pocketsphinx, whose wheel ships an English acoustic model and dictionary."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pocketsphinx import Decoder
from pocketsphinx.lm import ArpaBoLM

from codec_cliff.corpus.store import INT16_SCALE
from codec_cliff.corpus.transcripts import normalise
from codec_cliff.errors import MetricError

# A decoder remembers the last frames that it scored. Silence before each utterance gives all of them the same past.
WARM_UP = bytes(16000)


class Pocketsphinx:
    """Two hypotheses: from a closed trigram model of the test transcripts, and (`_flat`) from a flat unigram over
    their vocabulary.

    The trigram knows the sentences, so it hides moderate damage; the flat model has no help from
    the text but errs on clean speech. Neither is comparable with MMS-1B. Words that the dictionary lacks cannot be
    recognised and count as errors; they are printed. Each utterance is decoded on its own (batch cepstral
    normalisation), so the order of utterances does not matter.
    """

    backend = "pocketsphinx"
    revision = version("pocketsphinx")
    sample_rate = 16000
    batch_utterances = 1

    def __init__(self, transcripts: Iterable[str]):
        self.sentences = list(dict.fromkeys(normalise(transcript) for transcript in transcripts))
        self.decoders = {
            "": self._decoder(trigram(self.sentences)),
            "_flat": self._decoder(flat_unigram(self.sentences)),
        }
        missing = out_of_vocabulary(self.decoders[""], self.sentences)
        print(
            f"pocketsphinx: {len(missing)} words are not in its dictionary and cannot be recognised {missing[:10]}",
            flush=True,
        )

    def transcribe(self, audio: Sequence[np.ndarray]) -> list[Mapping[str, str]]:
        """Each of float32 (n,) at 16 kHz to the trigram's and the flat model's hypothesis."""
        return [self.hypotheses(recording) for recording in audio]

    def hypotheses(self, audio: np.ndarray) -> dict[str, str]:
        samples = np.clip(np.round(audio * INT16_SCALE), -INT16_SCALE, INT16_SCALE - 1).astype(np.int16).tobytes()
        return {suffix: self._transcribe(suffix, samples) for suffix in self.decoders}

    def _transcribe(self, suffix: str, samples: bytes) -> str:
        try:
            return decode(self.decoders[suffix], samples)
        except RuntimeError:  # the decoder is unusable from then on: once more with a new one
            model = trigram if suffix == "" else flat_unigram
            self.decoders[suffix] = self._decoder(model(self.sentences))
        try:
            return decode(self.decoders[suffix], samples)
        except RuntimeError as error:
            raise MetricError(
                f"pocketsphinx cannot decode {len(samples) // 2} samples twice in a row ({error})"
            ) from error

    def _decoder(self, model: ArpaBoLM) -> Decoder:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.arpa"
            model.write_file(str(path))
            return Decoder(lm=str(path), cmn="batch", loglevel="FATAL")


def trigram(sentences: list[str]) -> ArpaBoLM:
    """A trigram model with fixed discount, of normalised sentences."""
    return _computed(ArpaBoLM(text="\n".join(sentences), add_start=True))


def flat_unigram(sentences: list[str]) -> ArpaBoLM:
    """Every word of the sentences, and the end of a sentence, equally probable at every place."""
    vocabulary = sorted({word for sentence in sentences for word in sentence.split()})
    return _computed(ArpaBoLM(text="\n".join(["<s>", "</s>", *vocabulary])))


def _computed(model: ArpaBoLM) -> ArpaBoLM:
    model.compute()
    return model


def decode(decoder: Decoder, samples: bytes) -> str:
    """16-bit samples of a whole utterance to text, "" where nothing is heard; RuntimeError: the decoder is unusable."""
    for audio in (WARM_UP, samples):
        decoder.start_utt()
        decoder.process_raw(audio, full_utt=True)
        decoder.end_utt()
    hypothesis = decoder.hyp()
    return hypothesis.hypstr if hypothesis else ""


def out_of_vocabulary(decoder: Decoder, sentences: Iterable[str]) -> list[str]:
    """The words, sorted, that the decoder's dictionary has no pronunciation for."""
    words = {word for sentence in sentences for word in sentence.split()}
    return sorted(word for word in words if decoder.lookup_word(word) is None)
