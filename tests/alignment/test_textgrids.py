"""TextGrids as programs and disks leave them: rounding is tolerated, damage is named, an alignment without a phone is none."""

from itertools import pairwise

import pytest

from codec_cliff.alignment import AlignmentError
from codec_cliff.alignment.index import NO_PHONE, Aligned, read_index, write_index
from codec_cliff.alignment.mfa import collected
from codec_cliff.alignment.textgrid import read_intervals
from codec_cliff.corpus.manifest import Utterance

PLAIN = [(0, 0.2, ""), (0.2, 0.3, "HH"), (0.3, 0.6, "EY1"), (0.6, 1.0, "")]


def grid(intervals, name="phones", end="\n") -> str:
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        "xmax = 1",
        "tiers? <exists>",
        "size = 1",
        "item []:",
    ]
    lines += [
        "    item [1]:",
        '        class = "IntervalTier"',
        f'        name = "{name}"',
        "        xmin = 0",
        "        xmax = 1",
    ]
    lines += [f"        intervals: size = {len(intervals)}"]
    for number, (start, stop, text) in enumerate(intervals, 1):
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start}",
            f"            xmax = {stop}",
            f'            text = "{text}"',
        ]
    return end.join(lines) + end


READABLE = {
    "plain": grid(PLAIN).encode(),
    "BOM": grid(PLAIN).encode("utf-8-sig"),
    "UTF-16": grid(PLAIN).encode("utf-16"),
    "CRLF": grid(PLAIN, end="\r\n").encode(),
    "CR": grid(PLAIN, end="\r").encode(),
    "tier in capitals": grid(PLAIN, "Phones ").encode(),
    "rounded overlap": grid([(0, 0.2000000001, ""), (0.2, 0.3004, "HH"), (0.3, 0.6, "EY1"), (0.6, 1.0, "")]).encode(),
    "silences of others": grid(
        [(0, 0.1, "<p:>"), (0.1, 0.2, "SIL"), (0.2, 0.3, " HH"), (0.3, 0.6, "EY1 "), (0.6, 1.0, "{SL}")]
    ).encode(),
}


@pytest.mark.parametrize("kind", READABLE)
def test_what_programs_write_is_read(tmp_path, kind):
    (tmp_path / "u.TextGrid").write_bytes(READABLE[kind])
    phones = [each for each in read_intervals(tmp_path / "u.TextGrid") if each.label]
    assert [each.label for each in phones] == ["HH", "EY1"]
    assert [time for each in phones for time in (each.start, each.end)] == pytest.approx([0.2, 0.3, 0.3, 0.6], abs=1e-3)


def test_a_phone_without_length_is_kept_where_rounding_left_it(tmp_path):
    (tmp_path / "u.TextGrid").write_text(grid([(0, 0.2, "A"), (0.2, 0.2, "B"), (0.2, 1, "C")]))
    intervals = read_intervals(tmp_path / "u.TextGrid")
    assert [each.label for each in intervals] == ["A", "B", "C"]
    assert all(one.end <= two.start for one, two in pairwise(intervals))


DAMAGED = {
    "empty": (b"", "is empty"),
    "zeros": (bytes(900), "is empty"),
    "JSON": (b'{"tiers": {}}', "is no TextGrid"),
    "cut": (grid(PLAIN).encode()[:500], "."),
    "cut between intervals": (
        grid(PLAIN).split("        intervals [3]")[0].encode(),
        "promises 4 intervals and holds 2",
    ),
    "overlap": (grid([(0, 0.3, "HH"), (0.25, 0.6, "EY1")]).encode(), "interval 2 .*crosses"),
    "reversed": (grid([(0, 0.2, ""), (0.2, 0.1, "HH")]).encode(), "interval 2 .*crosses"),
    "no such tier": (grid(PLAIN, "words").encode(), "0 of its tiers are called phones, expected one .tiers: words"),
    "decimal comma": (grid(PLAIN).replace("0.2", "0,2").encode(), "."),
    "not a number": (grid([(0, "nan", "HH")]).encode(), "."),
    "Latin-1": (grid([(0, 1, "é")]).encode("latin-1"), "decode"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_named_with_the_remedy(tmp_path, kind):
    content, reason = DAMAGED[kind]
    (tmp_path / "u.TextGrid").write_bytes(content)
    with pytest.raises(AlignmentError, match=rf"(?s)u\.TextGrid: .*{reason}.*delete the file and align again"):
        read_intervals(tmp_path / "u.TextGrid")


@pytest.mark.parametrize("intervals", [[], [(0, 1, "")], [(0, 1, "spn")], [(0, 0.5, "sil"), (0.5, 1, "<unk>")]])
def test_an_alignment_without_a_phone_is_no_alignment(tmp_path, intervals):
    (tmp_path / "s").mkdir()
    (tmp_path / "s/u.TextGrid").write_text(grid(intervals))
    (row,) = collected([Utterance("u", "s", "x", 1, 16000, "HEY")], tmp_path)
    assert (row.path, row.reason) == ("", NO_PHONE)
    with pytest.raises(AlignmentError, match="none of 1 utterances could be aligned"):
        write_index(tmp_path / "index.tsv", [row])


@pytest.mark.parametrize("content", [b"", bytes(80), b"utterance_id\tspeaker_id\n", b"\xff\xfe"])
def test_a_damaged_index_is_one_sentence(tmp_path, content):
    write_index(tmp_path / "index.tsv", [Aligned("NA", "null", "x", 3, "")])
    assert read_index(tmp_path / "index.tsv") == [Aligned("NA", "null", "x", 3, "")]
    (tmp_path / "index.tsv").write_bytes(content)
    with pytest.raises(AlignmentError, match="delete it to have it rebuilt"):
        read_index(tmp_path / "index.tsv")
