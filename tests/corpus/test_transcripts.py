"""What the normalisers make of what people type: the table that the documentation speaks of."""

import pytest

from codec_cliff.alignment import unspeakable
from codec_cliff.alignment.mfa import collected, stage
from codec_cliff.corpus.account import require_words
from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.transcripts import hyphens, left_out, normalise, whisper
from codec_cliff.errors import CorpusError
from codec_cliff.metrics.wer import BACKENDS

TABLE = [  # as typed, plain, what a recogniser writes that hears it right
    ("It’s the captain’s, I don’t know", "it's the captain's i don't know", "it's the captain's i don't know"),
    ("It`s Itʼs It＇s It´s", "it's it's it's it's", "it's it's it's it's"),
    ("‘Wait, don’t,’ he said", "wait don't he said", "wait don't he said"),
    ("the dogs’ bones", "the dogs' bones", "the dogs' bones"),
    ('“Yes” «no» "so"', "yes no so", "yes no so"),
    ("Wait—what happened next…then", "wait what happened next then", "wait what happened next then"),
    ("wait – what ... then .. so", "wait what then so", "wait what then so"),
    ("one―two‒three−four‐five‑six-seven", "one two three four five six seven", "one two three four five six seven"),
    ("black/white and either\\or", "black white and either or", "black white and either or"),
    ("comma,without;space:here", "comma without space here", "comma without space here"),
    ("the café, the naïve fiancé", "the cafe the naive fiance", "the cafe the naive fiance"),
    ("the cafe\u0301, the nai\u0308ve", "the cafe the naive", "the cafe the naive"),
    ("Æsop’s œuvre, Łódź, groß", "aesop's oeuvre lodz gross", "aesop's oeuvre lodz gross"),
    ("ﬁne ＦＵＬＬ width", "fine full width", "fine full width"),
    ("Mr. Smith, U.S.A.", "mr smith usa", "mr smith usa"),
    ("rock ' n ' roll", "rock n roll", "rock n roll"),
    ("a\u200bb\u00a0c\u2028d", "a b c d", "a b c d"),
    ("snake_case & ampersand", "snake case ampersand", "snake case ampersand"),
    ("ISN'T IT", "isn't it", "isn't it"),
    ("", "", ""),
]


@pytest.mark.parametrize(("typed", "plain", "heard"), TABLE)
def test_punctuation_separates_words_and_apostrophes_are_apostrophes(typed, plain, heard):
    assert normalise(typed) == plain == normalise(heard)
    assert left_out(typed) == []
    assert normalise(plain) == plain


@pytest.mark.parametrize(("typed", "plain", "heard"), [row for row in TABLE if not set("&ﬁＦ`´ʼ") & set(row[0])][:11])
def test_whispers_normaliser_counts_no_error_where_none_was_heard(typed, plain, heard):
    if "Æ" not in typed and typed.strip() != "'":
        assert whisper(typed) == whisper(heard)


@pytest.mark.parametrize(("typed", "expected"), [("Mary‑Ann’s café—yes", "mary-ann's cafe yes"), ("- 7 -", "")])
def test_hyphens_are_all_that_the_third_normaliser_keeps(typed, expected):
    assert hyphens(typed) == expected


LOST = {
    "42 dogs": ["42"],
    "Привет, как дела": ["Привет,", "как", "дела"],
    "你好 yes": ["你好"],
    "B2B": ["B2B"],
    "½ price": ["½"],
}


@pytest.mark.parametrize("text", LOST)
def test_what_has_no_letters_is_not_aligned_in_part(text, tmp_path):
    assert left_out(text) == LOST[text]
    utterances = [
        Utterance(name, "s", str(tmp_path / f"{name}.wav"), 1, 16000, words)
        for name, words in (("a", text), ("b", "YES"))
    ]
    assert "written in other signs than a-z" in unspeakable(text)
    stage(utterances, tmp_path / "staged")
    assert sorted(path.name for path in (tmp_path / "staged/s").iterdir()) == ["b.lab", "b.wav"]
    assert collected(utterances[:1], tmp_path / "out")[0].reason == unspeakable(text)


@pytest.mark.parametrize("texts", [["Привет"], ["你好", "1984 ..."], ["...", "-"]])
def test_transcripts_without_a_word_are_refused_before_anything_is_measured(texts):
    utterances = [Utterance(str(number), "s", "x", 1, 16000, text) for number, text in enumerate(texts)]
    with pytest.raises(CorpusError, match=r"no transcript of .* has a word left"):
        require_words(utterances)
    for backend in BACKENDS.values():
        with pytest.raises(CorpusError, match=r"no transcript of .* has a word left"):
            backend(utterances, None, "cpu")


def test_some_lost_words_are_told(capsys):
    require_words([Utterance("a", "s", "x", 1, 16000, "42 DOGS"), Utterance("b", "s", "x", 1, 16000, "YES")])
    assert "1 of 2 transcripts hold digits" in capsys.readouterr().out
