"""The embedded aligner: Pocketsphinx' two passes, words first, then the phones within them."""

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pocketsphinx import Decoder
from tqdm import tqdm

from codec_cliff.alignment import unspeakable
from codec_cliff.alignment.index import NO_PHONE, Aligned
from codec_cliff.alignment.textgrid import SILENCE, Interval, write_textgrid
from codec_cliff.corpus.store import AudioStore
from codec_cliff.corpus.transcripts import normalise
from codec_cliff.errors import CorpusError

FRAME_SECONDS = 0.01
SAMPLE_RATE = 16000
REVISION = f"pocketsphinx {version('pocketsphinx')} en-us"


class UnalignableError(Exception):
    """This utterance cannot be aligned; the message is its reason in the index."""


class Pocketsphinx:
    """Phones of the wheel's CMU dictionary (39, without stress) at 10 ms resolution. Against the segment times of
    speech synthesisers the number of phones is right within 3 % and half of the onsets within 10 ms. A transcript
    with a word that the dictionary lacks is left out: a guessed pronunciation would be a guessed phoneme count.
    """

    def __init__(self):
        self.decoder = new_decoder()

    def align(self, samples: np.ndarray, transcript: str) -> tuple[list[Interval], list[Interval]]:
        """int16 (n,) at 16 kHz and what is said in it to words and phones; UnalignableError says why not."""
        if fault := unspeakable(transcript):
            raise UnalignableError(fault)
        text = normalise(transcript)
        if missing := [word for word in text.split() if self.decoder.lookup_word(word) is None]:
            raise UnalignableError(f"not in the dictionary: {' '.join(missing)}")
        try:
            return align(self.decoder, samples.tobytes(), text)
        except RuntimeError as error:
            self.decoder = new_decoder()  # after a failure the old one answers nothing any more
            raise UnalignableError(str(error)) from error


def new_decoder() -> Decoder:
    # bestpath: the lattice search on top of an alignment fails on one utterance in eight (pocketsphinx pull request
    # 500).
    return Decoder(lm=None, bestpath=False, cmn="batch", loglevel="FATAL")


def align(decoder: Decoder, samples: bytes, text: str) -> tuple[list[Interval], list[Interval]]:
    """Both passes over one utterance; RuntimeError where the decoder gives up."""
    decoder.set_align_text(text)
    decode(decoder, samples)
    if decoder.hyp() is None:
        raise RuntimeError("no path through the transcript")
    decoder.set_alignment()
    decode(decoder, samples)
    words, phones = [], []
    for word in decoder.get_alignment():  # an entry is only valid until the next one is asked for: keeping it crashes
        words.append(interval(word))
        phones.extend(interval(phone) for phone in word)
    return words, phones


def decode(decoder: Decoder, samples: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()


def interval(entry) -> Interval:
    """An alignment entry in seconds: fillers (`<sil>`, `SIL`, `+NSN+`) become silence, `read(2)` becomes `read`."""
    filler = re.fullmatch(r"<.*>|\[.*\]|\+.*\+|SIL", entry.name)
    label = SILENCE if filler else re.sub(r"\(\d+\)$", "", entry.name)
    return Interval(label, entry.start * FRAME_SECONDS, (entry.start + entry.duration) * FRAME_SECONDS)


def align_store(store: AudioStore, output_dir: str | Path) -> list[Aligned]:
    """Align every utterance of a store into `output_dir`/<speaker>/<utterance>.TextGrid; one row for each, in order."""
    aligner, rows = Pocketsphinx(), []
    for index, utterance in enumerate(tqdm(store.utterances, "alignment", disable=None)):
        if utterance.sample_rate != SAMPLE_RATE:
            raise CorpusError(
                f"{utterance.utterance_id}: pocketsphinx aligns 16 kHz audio, not {utterance.sample_rate} Hz"
            )
        path = Path(output_dir) / utterance.speaker_id / f"{utterance.utterance_id}.TextGrid"
        samples = store.samples[store.offsets[index] : store.offsets[index + 1]]
        try:
            words, phones = aligner.align(samples, utterance.transcript)
        except UnalignableError as failure:
            rows.append(Aligned(utterance.utterance_id, utterance.speaker_id, "", 0, str(failure)))
            continue
        n_phones = sum(phone.label != SILENCE for phone in phones)
        if not n_phones:
            rows.append(Aligned(utterance.utterance_id, utterance.speaker_id, "", 0, NO_PHONE))
            continue
        write_textgrid(path, words, phones, utterance.seconds)
        rows.append(Aligned(utterance.utterance_id, utterance.speaker_id, str(path), n_phones, ""))
    return rows
