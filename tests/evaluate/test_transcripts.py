from pathlib import Path

import pytest

from codec_cliff.corpus.matching import Names
from codec_cliff.errors import CorpusError
from codec_cliff.evaluate.transcripts import read_transcripts

SAID = {"61-1-0": "HELLO WORLD", "61-1-1": 'IT SAID "YES", TWICE'}


@pytest.fixture
def names(tmp_path):
    return Names(tmp_path, [tmp_path / "61" / f"{name}.flac" for name in SAID])


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_librispeechs_files(tmp_path, names):
    write(tmp_path / "61" / "61-1.trans.txt", "".join(f"{name} {text}\n" for name, text in SAID.items()))
    assert read_transcripts(None, tmp_path, names) == SAID


def test_a_text_file_a_recording(tmp_path, names):
    for name, text in SAID.items():
        write(tmp_path / "txt" / f"{name}.txt", f"{text}\n")
    write(tmp_path / "README.txt", "what this is\n")
    assert read_transcripts(None, tmp_path, names) == SAID
    assert read_transcripts(str(tmp_path / "txt"), tmp_path, names) == SAID


@pytest.mark.parametrize(
    "lines",
    [
        [f"{name}\t{text}" for name, text in SAID.items()],
        ["speaker\ttranscript\tpath", *(f"x\t{text}\t61/{name}.flac" for name, text in SAID.items())],
        [f"{name}|{text}" for name, text in SAID.items()],
        [f"{name} {text}" for name, text in SAID.items()],
    ],
)
def test_a_table_with_or_without_a_header(tmp_path, names, lines):
    path = write(tmp_path / "elsewhere" / "said.tsv", "\n".join(lines) + "\n")
    assert read_transcripts(str(path), tmp_path, names) == SAID


@pytest.mark.parametrize("mark", [" ", "\t"])
@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0c", "\x1c"])
def test_a_line_ends_at_a_line_feed_or_carriage_return_alone(tmp_path, names, sign, mark):
    path = write(tmp_path / "said.tsv", f"61-1-0{mark}HELLO{sign}WORLD\r61-1-1{mark}YES\n")
    assert read_transcripts(str(path), tmp_path, names) == {"61-1-0": "HELLO WORLD", "61-1-1": "YES"}


def test_none_asked_for_or_none_there(tmp_path, names):
    assert read_transcripts(None, tmp_path, names) == {}
    write(tmp_path / "61" / "61-1.trans.txt", "61-1-0 HELLO\n")
    assert read_transcripts("none", tmp_path, names) == {}


def test_transcripts_of_other_recordings_are_refused(tmp_path, names):
    path = write(tmp_path / "said.tsv", "x\tHELLO\n")
    with pytest.raises(CorpusError, match=r"said\.tsv: transcribes none of the recordings.*61-1-0"):
        read_transcripts(str(path), tmp_path, names)
    with pytest.raises(CorpusError, match="no such file"):
        read_transcripts("nowhere.tsv", tmp_path, names)


@pytest.mark.parametrize("lines", ["id\ttext\n61-1-0\t\n61-1-1\t \n", "61-1-0\n61-1-1 \n"])
def test_texts_that_are_empty_are_called_so(tmp_path, names, lines):
    path = write(tmp_path / "said.tsv", lines)
    with pytest.raises(CorpusError, match=r"said\.tsv: names 2 of the recordings of .*: its texts are empty; fill"):
        read_transcripts(str(path), tmp_path, names)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_called_so(tmp_path, names, encoding):
    path = tmp_path / "said.tsv"
    path.write_text("61-1-0\tHELLO\n", encoding=encoding)
    with pytest.raises(CorpusError, match=r"said\.tsv: is not encoded in UTF-8, but in UTF-16 as it seems; save it"):
        read_transcripts(str(path), tmp_path, names)


def test_a_text_that_is_of_no_recording_may_be_encoded_as_it_likes(tmp_path, names):
    write(tmp_path / "61" / "61-1-0.txt", "hello")
    (tmp_path / "README.txt").write_text("what this is", encoding="utf-16")
    assert read_transcripts(None, tmp_path, names) == {"61-1-0": "hello"}


@pytest.mark.parametrize("text", ["Hello, world | how are you", "Hello\tworld, how are you"])
def test_marks_within_a_sentence_part_no_columns(tmp_path, names, text):
    path = write(tmp_path / "said.txt", f"61-1-0 {text}\n61-1-1 yes\n")
    expected = {"61-1-0": " ".join(text.split()), "61-1-1": "yes"}
    assert read_transcripts(str(path), tmp_path, names) == expected


@pytest.mark.parametrize("mark", [",", "|", "\t"])
def test_a_mark_after_a_name_anywhere_parts_columns(tmp_path, names, mark):
    """A table may begin with recordings that are not here, and name them by more than their ids."""
    for mine in ("61-1-0", "61-1-0.flac", "speaker_61-1-0"):
        path = write(tmp_path / "said.csv", f"99-1-0{mark}not here\n{mine}{mark}hello world\n")
        assert read_transcripts(str(path), tmp_path, names) == {"61-1-0": "hello world"}


def test_quoted_cells_and_ids_before_blanks_within_a_name(tmp_path, names):
    path = write(tmp_path / "said.csv", '"61-1-0","hello, world"\n"61-1-1","yes"\n')
    assert read_transcripts(str(path), tmp_path, names) == {"61-1-0": "hello, world", "61-1-1": "yes"}
    path = write(tmp_path / "text", "s1_61-1-0 hello, world\n")
    assert read_transcripts(str(path), tmp_path, names) == {"61-1-0": "hello, world"}


def test_an_exact_name_outranks_one_that_holds_it(tmp_path, names):
    write(tmp_path / "61" / "61-1-0.txt", "hello")
    write(tmp_path / "61" / "61-1-0_notes.txt", "a dog barks")
    assert read_transcripts(None, tmp_path, names) == {"61-1-0": "hello"}


def test_normalised_text_outranks_the_original(tmp_path, names):
    write(tmp_path / "61" / "61-1-0.normalized.txt", "two dogs")
    write(tmp_path / "61" / "61-1-0.original.txt", "2 dogs")
    assert read_transcripts(None, tmp_path, names) == {"61-1-0": "two dogs"}


def test_two_texts_that_count_alike_are_refused_unless_they_are_the_same(tmp_path, names):
    first = write(tmp_path / "61" / "61-1-0_a.txt", "hello  world")
    second = write(tmp_path / "61" / "61-1-0_b.txt", "hello world\n")
    assert read_transcripts(None, tmp_path, names) == {"61-1-0": "hello world"}
    write(second, "good day")
    with pytest.raises(CorpusError, match=f"{first} and {second}: give two transcripts of 61-1-0; remove one"):
        read_transcripts(None, tmp_path, names)


def test_a_row_that_ends_before_its_columns_is_named(tmp_path, names):
    path = write(tmp_path / "said.tsv", "id\tspeaker\ttext\n\n61-1-0\t61\thello\n61-1-1\t61\n")
    with pytest.raises(CorpusError, match=r"said\.tsv:4: ends before the column that its header names"):
        read_transcripts(str(path), tmp_path, names)
