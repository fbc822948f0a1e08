"""Both aligners end in the same TextGrids and index; MFA is played by a script that writes what it is told to."""

import os
import stat
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from praatio import textgrid as praat

from codec_cliff.alignment import AlignmentError, mfa
from codec_cliff.alignment.__main__ import main
from codec_cliff.alignment.index import Aligned, read_index, write_index
from codec_cliff.alignment.phonemes import measure
from codec_cliff.alignment.pocketsphinx import Pocketsphinx, UnalignableError
from codec_cliff.alignment.textgrid import Interval, filled, read_intervals, write_textgrid
from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.downloads.pins import ALIGNERS
from tests.paths import LIBRISPEECH, ROOT

SPEECH = LIBRISPEECH / "test-clean"
RATE = 16000

# As MFA writes it: stress digits, "" for silence, `spn` for an unknown word, the last interval up to the end.
MFA_TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.005
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 1.005
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.2
            text = ""
        intervals [2]:
            xmin = 0.2
            xmax = 0.6
            text = "hay"
        intervals [3]:
            xmin = 0.6
            xmax = 1.005
            text = "<unk>"
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1.005
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.2
            text = ""
        intervals [2]:
            xmin = 0.2
            xmax = 0.3
            text = "HH"
        intervals [3]:
            xmin = 0.3
            xmax = 0.6
            text = "EY1"
        intervals [4]:
            xmin = 0.6
            xmax = 1.005
            text = "spn"
"""


def utterance(path: Path, n_samples: int, transcript: str) -> Utterance:
    return Utterance(path.stem, path.stem.split("-")[0], str(path), n_samples, RATE, transcript)


@pytest.fixture(scope="module")
def spoken() -> list[tuple[Utterance, np.ndarray]]:
    """Two short utterances of different speakers."""
    found = {}
    for lines in sorted(SPEECH.glob("*/*/*.trans.txt")):
        for line in lines.read_text().splitlines():
            utterance_id, transcript = line.split(" ", 1)
            path = lines.parent / f"{utterance_id}.flac"
            if path.exists() and "COUNSELLED" not in line and 2 < soundfile.info(path).duration < 4:  # no such word
                samples = soundfile.read(path, dtype="int16")[0]
                found.setdefault(path.parts[-3], (utterance(path, len(samples), transcript), samples))
    if not found:
        pytest.skip("no LibriSpeech beside the repository")
    return list(found.values())[:2]


def test_a_textgrid_as_mfa_writes_it(tmp_path):
    path = tmp_path / "u.TextGrid"
    path.write_text(MFA_TEXTGRID)
    assert read_intervals(path) == [
        Interval("", 0, 0.2), Interval("HH", 0.2, 0.3), Interval("EY1", 0.3, 0.6), Interval("spn", 0.6, 1.005),
    ]  # fmt: skip
    path.write_text(MFA_TEXTGRID.replace('""', '"sil"'))
    assert read_intervals(path)[0].label == ""


@pytest.mark.parametrize(
    ("change", "labels"),
    [
        (('"phones"', '"1089 - phones"'), ["", "HH", "EY1", "spn"]),  # several speakers a file
        (('"HH"', '"tʃʷ"'), ["", "tʃʷ", "EY1", "spn"]),  # english_mfa: IPA
        (('text = ""', 'text = "sil"'), ["", "HH", "EY1", "spn"]),  # --no_textgrid_cleanup
        (('"spn"', '"<eps>"'), ["", "HH", "EY1", ""]),
    ],
)
def test_every_shape_of_mfas_textgrids_is_read(tmp_path, change, labels):
    (tmp_path / "u.TextGrid").write_text(MFA_TEXTGRID.replace(*change), encoding="utf-8")
    assert [interval.label for interval in read_intervals(tmp_path / "u.TextGrid")] == labels


def test_the_short_format_is_read_too(tmp_path):
    (tmp_path / "long.TextGrid").write_text(MFA_TEXTGRID)
    praat.openTextgrid(str(tmp_path / "long.TextGrid"), True).save(
        str(tmp_path / "short.TextGrid"), "short_textgrid", True
    )
    assert read_intervals(tmp_path / "short.TextGrid") == read_intervals(tmp_path / "long.TextGrid")


def test_a_textgrid_survives_writing_and_reading(tmp_path):
    phones = [Interval("HH", 0.25, 0.31), Interval("AY", 0.31, 0.5), Interval("", 0.5, 0.6)]
    words = [Interval('h"i', 0.25, 0.5)]
    write_textgrid(tmp_path / "u.TextGrid", words, phones, 1.0)
    assert read_intervals(tmp_path / "u.TextGrid") == [
        Interval("", 0, 0.25), Interval("HH", 0.25, 0.31), Interval("AY", 0.31, 0.5), Interval("", 0.5, 1.0),
    ]  # fmt: skip
    assert read_intervals(tmp_path / "u.TextGrid", "words")[1].label == 'h"i'


def test_a_textgrid_without_phones_or_a_broken_one_is_refused(tmp_path):
    (tmp_path / "u.TextGrid").write_text(MFA_TEXTGRID.replace("phones", "segments"))
    with pytest.raises(AlignmentError, match="0 of its tiers are called phones"):
        read_intervals(tmp_path / "u.TextGrid")
    (tmp_path / "u.TextGrid").write_text(MFA_TEXTGRID[:300])
    with pytest.raises(AlignmentError, match=r"u\.TextGrid.*align again"):
        read_intervals(tmp_path / "u.TextGrid")


def test_filled_tiers_have_neither_gaps_nor_two_silences_in_a_row():
    tier = filled(
        [Interval("", 0.1, 0.2), Interval("A", 0.3, 0.5), Interval("", 0.5, 0.6), Interval("B", 0.9, 1.2)], 1.0
    )
    assert [interval.label for interval in tier] == ["", "A", "", "B"]
    assert [interval.end for interval in tier[:-1]] == [interval.start for interval in tier[1:]]
    assert (tier[0].start, tier[-1].end) == (0, 1.0)


def test_pocketsphinx_finds_the_words_in_order_and_phones_within_them(spoken):
    aligner = Pocketsphinx()
    for spoke, samples in spoken:
        words, phones = aligner.align(samples, spoke.transcript)
        assert [word.label for word in words if word.label] == spoke.transcript.lower().split()
        spans = [(phone.start, phone.end) for phone in phones]
        assert all(before[1] == pytest.approx(after[0]) for before, after in pairwise(spans))
        assert spans[-1][1] == pytest.approx(spoke.seconds, abs=0.05)
        for word in words:
            inside = [phone for phone in phones if word.start - 1e-6 <= phone.start < word.end - 1e-6]
            assert inside[0].start == pytest.approx(word.start)
            assert inside[-1].end == pytest.approx(word.end)
        assert 6 < sum(phone.label != "" for phone in phones) / spoke.seconds < 18


def test_pocketsphinx_goes_on_after_an_utterance_that_it_cannot_align(spoken):
    (spoke, samples), aligner = spoken[0], Pocketsphinx()
    expected = aligner.align(samples, spoke.transcript)
    with pytest.raises(UnalignableError, match="not in the dictionary: zyxwv"):
        aligner.align(samples, "ZYXWV " + spoke.transcript)
    with pytest.raises(UnalignableError, match="empty"):
        aligner.align(samples, "...")
    with pytest.raises(UnalignableError):
        aligner.align(samples[:2000], spoke.transcript)  # an eighth of a second cannot hold a sentence
    assert aligner.align(samples, spoke.transcript) == expected


def test_the_command_with_pocketsphinx(spoken, tmp_path):
    rows = [spoken[0][0], Utterance("u", "s", "u.flac", RATE, RATE, "ZYXWV")]
    write_manifest(tmp_path / "test.tsv", rows)
    np.save(tmp_path / "test.npy", np.concatenate([spoken[0][1], np.zeros(RATE, np.int16)]))
    arguments = f"--aligner pocketsphinx --manifest {tmp_path}/test.tsv --store {tmp_path}/test.npy"
    main(f"{arguments} --output-dir {tmp_path}/grids --index {tmp_path}/index.tsv".split())
    first, second = read_index(tmp_path / "index.tsv")
    assert Path(first.path) == tmp_path / "grids" / first.speaker_id / f"{first.utterance_id}.TextGrid"
    assert first.n_phones == sum(interval.label != "" for interval in read_intervals(first.path)) > 10
    assert second == Aligned("u", "s", "", 0, "not in the dictionary: zyxwv")


def test_an_index_without_any_textgrid_is_an_error(tmp_path):
    with pytest.raises(AlignmentError, match=r"none of 1 utterances.*because"):
        write_index(tmp_path / "index.tsv", [Aligned("u", "s", "", 0, "because")])
    assert not (tmp_path / "index.tsv").exists()


FAKE_MFA = f"""#!/bin/bash
echo "$MFA_ROOT_DIR | $@" >> "$CALLS"
test "$1" != version || {{ echo "a warning of 2.0.1"; echo "${{MFA_VERSION:-3.4.3}}"; exit 0; }}
test "$1" = align || exit 9
test -z "$FAIL" || {{ echo "something about Kaldi"; exit 1; }}
cd "$2"
for lab in */*.lab; do
  test "$lab" != "$SKIP" || continue
  test -e "${{lab%.lab}}.flac" || exit 3
  mkdir -p "$5/$(dirname $lab)"
  cat > "$5/${{lab%.lab}}.TextGrid" <<'END'
{MFA_TEXTGRID}END
done
"""


@pytest.fixture
def fake_mfa(tmp_path, monkeypatch) -> Path:
    """An `mfa` on the PATH; returns the file that lists how it was called."""
    script = tmp_path / "bin" / "mfa"
    script.parent.mkdir()
    script.write_text(FAKE_MFA)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    for release in ALIGNERS["mfa_english_us_arpa"]:  # where `fetch` puts them, with the cache's mfa as MFA_ROOT_DIR
        path = tmp_path / "root" / Path(release.path).relative_to("mfa")
        path.parent.mkdir(parents=True)
        path.touch()
    return tmp_path / "calls"


@pytest.fixture
def recordings(tmp_path) -> list[Utterance]:
    rows = []
    for name in ("s1-a", "s1-b", "s2-a"):
        path = tmp_path / f"{name}.flac"
        soundfile.write(path, np.zeros(16080, np.int16), RATE)
        rows.append(utterance(path, 16080, "Hay, FNORD-fnord!"))
    return rows


def test_mfa_is_called_as_its_version_3_4_wants_it():
    line = " ".join(mfa.command(Path("/c"), Path("/o"), Path("/t"), 8))
    assert line == (
        "mfa align /c english_us_arpa english_us_arpa /o --clean --final_clean --overwrite -j 8 -t /t --no_use_postgres "
        "--output_format long_textgrid"
    )


def test_staging_links_audio_beside_normalised_transcripts(recordings, tmp_path):
    mfa.stage(recordings, tmp_path / "corpus")
    assert sorted(str(path.relative_to(tmp_path / "corpus")) for path in (tmp_path / "corpus").glob("*/*")) == [
        "s1/s1-a.flac", "s1/s1-a.lab", "s1/s1-b.flac", "s1/s1-b.lab", "s2/s2-a.flac", "s2/s2-a.lab",
    ]  # fmt: skip
    assert (tmp_path / "corpus/s1/s1-a.lab").read_text() == "hay fnord fnord\n"
    assert (tmp_path / "corpus/s1/s1-a.flac").resolve() == Path(recordings[0].path)


def test_mfa_aligns_every_utterance(fake_mfa, recordings, tmp_path):
    rows = mfa.align_manifest(recordings, tmp_path / "out", tmp_path / "root", 2)
    assert [row.utterance_id for row in rows] == ["s1-a", "s1-b", "s2-a"]
    assert {row.n_phones for row in rows} == {2}  # neither silence nor spn
    assert all(Path(row.path).exists() for row in rows)
    mfa.align_manifest(recordings, tmp_path / "out", tmp_path / "root", 2)
    calls = fake_mfa.read_text().splitlines()
    assert all(call.startswith(f"{tmp_path}/root | ") for call in calls)
    assert [call.split()[2] for call in calls] == [
        "version",
        "align",
        "version",
        "align",
    ]  # it is asked to download nothing
    assert calls[1].split()[3] != calls[3].split()[3]  # a corpus folder of its own for every job


def test_an_utterance_that_mfa_drops_is_counted_and_named_and_the_others_go_on(
    fake_mfa, recordings, tmp_path, monkeypatch, capsys
):
    mfa.align_manifest(recordings, tmp_path / "out", tmp_path / "root", 1)
    monkeypatch.setenv("SKIP", "s1/s1-b.lab")  # its TextGrid of the earlier run does not hide it
    rows = mfa.align_manifest(recordings, tmp_path / "out", tmp_path / "root", 1)
    assert rows[1] == Aligned("s1-b", "s1", "", 0, "MFA wrote no TextGrid")
    assert "no TextGrid for 1 of 3 utterances: s1-b" in capsys.readouterr().out
    write_manifest(tmp_path / "test.tsv", recordings)
    write_index(tmp_path / "index.tsv", rows)
    measured = measure(tmp_path / "index.tsv", tmp_path / "test.tsv", [50])
    assert [row["utterance_id"] for row in measured] == ["s1-a", "s2-a"]


@pytest.mark.parametrize("version", ["3.4.2", "3.4.0", "None"])
def test_an_mfa_that_does_not_adapt_to_speakers_is_refused(fake_mfa, recordings, tmp_path, monkeypatch, version):
    monkeypatch.setenv("MFA_VERSION", version)
    with pytest.raises(AlignmentError, match=r"forget to adapt to the speakers.*envs/mfa\.yaml"):
        mfa.align_manifest(recordings, tmp_path / "out", tmp_path / "root", 1)


def test_the_environment_brings_an_mfa_that_adapts():
    *_, last = yaml.safe_load((ROOT / "envs/mfa.yaml").read_text())["dependencies"]
    assert last == {"pip": [f"montreal-forced-aligner=={'.'.join(map(str, mfa.VERSION))}"]}


def test_models_that_were_not_fetched_are_named(fake_mfa, recordings, tmp_path):
    (tmp_path / "root/pretrained_models/dictionary/english_us_arpa.dict").unlink()
    with pytest.raises(
        AlignmentError, match=r"lacks MFA's dictionary/english_us_arpa\.dict; .*fetch mfa_english_us_arpa"
    ):
        mfa.align_manifest(recordings, tmp_path / "out", tmp_path / "root", 1)


def test_a_failing_mfa_shows_its_last_words(fake_mfa, recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(AlignmentError, match="status 1: something about Kaldi"):
        mfa.align_manifest(recordings, tmp_path / "out", tmp_path / "root", 1)


def test_a_missing_mfa_names_the_environment(recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AlignmentError, match=r"envs/mfa\.yaml; install conda.*--sdm conda.*pocketsphinx"):
        mfa.align_manifest(recordings, tmp_path / "out", tmp_path / "root", 1)
