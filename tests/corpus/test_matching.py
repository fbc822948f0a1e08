from pathlib import Path

import pytest

from codec_cliff.corpus.matching import UNKNOWN_SPEAKER, Names, listed, parts_of_name

ROOT = Path("originals")


def names(*paths):
    return Names(ROOT, [ROOT / path for path in paths])


def matched(known, *paths):
    return known.match(Path("mine"), [Path("mine") / path for path in paths])


def test_files_belong_together_by_stem_whatever_their_folders_and_suffixes():
    known = names("61/70968/61-70968-0000.flac", "121/121726/121-121726-0000.flac")
    found = matched(known, "wavs/121-121726-0000.wav", "61-70968-0000.mp3", "other.wav")
    assert {name: path.name for name, path in found.files.items()} == {
        "121-121726-0000": "121-121726-0000.wav",
        "61-70968-0000": "61-70968-0000.mp3",
    }
    assert [path.name for path in found.unknown] == ["other.wav"]


def test_an_id_within_a_name_counts_where_the_name_itself_does_not():
    known = names("u1.wav", "u1_b.wav")
    found = matched(known, "u1_gen.wav", "codec-u1_b.wav", "xu1.wav")
    assert {name: path.name for name, path in found.files.items()} == {"u1": "u1_gen.wav", "u1_b": "codec-u1_b.wav"}
    assert [path.name for path in found.unknown] == ["xu1.wav"]
    assert list(parts_of_name("a-1_b")) == ["a-1", "1_b", "a", "b"]


def test_recordings_of_one_stem_are_told_apart_by_their_folders():
    known = names("p1/001.wav", "p2/001.wav")
    assert known.ids == ["p1-001", "p2-001"]
    found = matched(known, "out/p2/001.wav", "001.wav")
    assert list(found.files) == ["p2-001"]
    assert [str(path) for path in found.unknown] == ["mine/001.wav"]


def test_of_two_files_for_one_recording_the_one_of_its_name_counts_or_none():
    known = names("a.wav", "b.wav")
    found = matched(known, "a.wav", "a_16k.wav", "x/b.wav", "y/b.wav")
    assert list(found.files) == ["a"]
    assert list(found.several) == ["b"]


@pytest.mark.parametrize(
    ("paths", "speakers"),
    [
        (("test-clean/61/1/a.flac", "test-clean/62/1/b.flac"), ["61", "62"]),
        (("61-1-0.flac", "62-1-0.flac"), ["61", "62"]),
        (("a.wav", "b.wav"), [UNKNOWN_SPEAKER] * 2),
        (("all/a.wav", "all/b.wav"), [UNKNOWN_SPEAKER] * 2),
    ],
)
def test_speakers_are_what_folders_or_librispeech_ids_tell(paths, speakers):
    assert list(names(*paths).speakers().values()) == speakers


def test_names_meet_in_one_unicode_form():
    """Some file systems hand out an accented letter as two signs."""
    known = names("cafe\u0301/u1.wav", "caf\xe9/u2.wav", "cafe\u0301.wav")
    assert known.ids == ["u1", "u2", "caf\xe9"]
    assert list(matched(known, "caf\xe9.wav").files) == list(matched(known, "out/cafe\u0301.mp3").files) == ["caf\xe9"]


def test_a_list_is_shortened():
    assert listed(["a", "b"]) == "a, b"
    assert listed("abcde") == "a, b, c and 2 more"
