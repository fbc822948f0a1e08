import json
import sys

import pandas as pd
import pytest

from codec_cliff.cli import main as codec_cliff
from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.errors import MetricError, UserError
from codec_cliff.report.compare import figures, main, report, settings, side
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.statistics.summary import FIGURES, read_metric, read_rows, scored
from tests.paths import ROOT

RESAMPLING = Resampling(200, 0.95, 0)
CODECS = ("50hz", "6.25hz-fixed-tokens")


def study(folder, better=0.0, n=30, backend="pystoi", batch=16):
    """A study of two runs whose STOI is `better` than 0.5 plus a spread that all studies share."""
    folder.mkdir(parents=True)
    ids = [f"u{number}" for number in range(n)]
    rows = [Utterance(name, f"s{i}", f"{name}.flac", 16000 + i, 16000, "A B") for i, name in enumerate(ids)]
    write_manifest(folder / "data" / "test.tsv", rows)
    for codec in CODECS:
        spread = [0.5 + 0.01 * (number % 7) + better for number in range(n)]
        table = {
            "utterance_id": ids,
            "speaker_id": [row.speaker_id for row in rows],
            "backend": backend,
            "revision": "1",
        }
        (folder / "metrics" / codec).mkdir(parents=True)
        pd.DataFrame(table | {"stoi": spread}).to_csv(folder / "metrics" / codec / "stoi.csv", index=False)
        (folder / "runs" / codec).mkdir(parents=True)
        config = {"codec": codec, "batch_clips": batch, "training": {"steps": 100, "learning_rate": 1e-3}}
        (folder / "runs" / codec / "config.json").write_text(json.dumps(config))
    return side(str(folder))


def test_a_study_with_itself_differs_in_nothing(tmp_path):
    same = study(tmp_path / "a")
    assert settings(same, same) == []
    for row in figures(same, same, RESAMPLING):
        assert (row["difference"], row["low"], row["high"], row["verdict"]) == (0, 0, 0, "not settled")


def test_what_was_changed_and_what_it_did(tmp_path):
    a, b = study(tmp_path / "a"), study(tmp_path / "b", better=0.1, batch=32)
    changed = settings(a, b)
    assert {(row["codec"], row["setting"], row["a"], row["b"]) for row in changed} == {
        (codec, "batch_clips", 16, 32) for codec in CODECS
    }
    rows = figures(a, b, RESAMPLING)
    assert [row["codec"] for row in rows] == list(CODECS)
    for row in rows:
        assert row["difference"] == pytest.approx(0.1)
        assert row["b"] - row["a"] == pytest.approx(row["difference"])
        assert (row["verdict"], row["n_utterances"]) == ("higher", 30)
    text, _ = report(a, b, RESAMPLING)
    assert "+0.100 [+0.100, +0.100]" in text
    assert "batch_clips" in text


def test_two_runs_of_one_study(tmp_path, capsys, monkeypatch):
    study(tmp_path / "results" / "a")
    monkeypatch.chdir(tmp_path)
    main(["a/50hz", "results/a/runs/6.25hz-fixed-tokens", "--output", "out.md", "--csv", "out.csv"])
    printed = capsys.readouterr().out
    assert "50hz / 6.25hz-fixed-tokens" in printed
    assert (tmp_path / "out.md").read_text() in printed
    assert pd.read_csv("out.csv")["difference"].tolist() == [0]


def test_only_the_same_recordings_are_paired(tmp_path):
    a, b = study(tmp_path / "a", n=30), study(tmp_path / "b", n=20)
    assert {row["n_utterances"] for row in figures(a, b, RESAMPLING)} == {20}
    manifest = tmp_path / "b" / "data" / "test.tsv"
    manifest.write_text(manifest.read_text().replace("A B", "other words"))
    assert {row["verdict"] for row in figures(a, b, RESAMPLING)} == {"no utterance in common"}


def test_other_backends_are_not_compared(tmp_path):
    a, b = study(tmp_path / "a"), study(tmp_path / "b", backend="another")
    for row in figures(a, b, RESAMPLING):
        assert (row["verdict"], row["difference"]) == ("other backends, not comparable", None)
        assert row["backend"] == "pystoi 1 / another 1"


def test_what_is_not_there_is_named(tmp_path, monkeypatch):
    study(tmp_path / "results" / "a")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"nothing: neither a study nor a run.*studies: results/a"):
        side("nothing")
    with pytest.raises(UserError, match="one is a study, the other a run"):
        main(["a", "a/50hz"])


def test_the_command(tmp_path, monkeypatch, capsys):
    study(tmp_path / "results" / "a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["codec-cliff", "compare", "a", "a"])
    codec_cliff()
    assert "**a and a**" in capsys.readouterr().out


def test_the_published_pilot_can_be_compared_within_itself_without_its_audio(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    main(["pilot/6.25hz-3-tokens", "pilot/6.25hz-fixed-tokens"])
    assert "| 6.25hz-3-tokens / 6.25hz-fixed-tokens | STOI |" in capsys.readouterr().out
    main(["pilot", "results/pilot", "--bootstrap-samples", "100"])
    assert "| 50hz | STOI |" in capsys.readouterr().out


def test_two_studies_without_a_manifest_are_one_sentence(tmp_path):
    a, b = study(tmp_path / "a"), study(tmp_path / "b")
    (tmp_path / "b/data/test.tsv").unlink()
    with pytest.raises(UserError, match=r"b/data/test\.tsv: not there.*bring it from where the study ran"):
        figures(a, b, RESAMPLING)


@pytest.mark.parametrize("content", [b"", bytes(100), b"utterance_id\n", b'{"codec": ', b"[]"])
@pytest.mark.parametrize("name", ["data/test.tsv", "metrics/50hz/stoi.csv", "runs/50hz/config.json"])
def test_damaged_files_of_a_study_are_named(tmp_path, name, content):
    a, b = study(tmp_path / "a"), study(tmp_path / "b")
    (tmp_path / "b" / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        report(a, b, RESAMPLING)


@pytest.mark.parametrize(
    "options",
    [
        "--confidence 95",
        "--confidence 1",
        "--confidence 0",
        "--confidence nan",
        "--confidence x",
        "--bootstrap-samples 0",
        "--bootstrap-samples -5",
    ],
)
def test_options_out_of_range_are_refused(tmp_path, options, capsys):
    study(tmp_path / "a")
    with pytest.raises(SystemExit):
        main([str(tmp_path / "a"), str(tmp_path / "a"), *options.split()])
    assert options.split()[1] in capsys.readouterr().err


@pytest.mark.parametrize("name", ["NA", "nan", "null", "None", "007", "1e5", "True", "-"])
def test_names_are_text_whatever_they_look_like(tmp_path, name):
    a = study(tmp_path / "a", n=3)
    path = tmp_path / "a/metrics/50hz/stoi.csv"
    path.write_text(path.read_text().replace("s1,", f"{name},").replace("u2,", f"{name},"))
    rows = read_rows(path)
    assert list(rows["speaker_id"]) == ["s0", name, "s2"]
    assert list(rows["utterance_id"]) == ["u0", "u1", name]
    assert list(scored(rows, FIGURES[0]).index) == ["u0", "u1", name]
    assert a.codecs() == sorted(CODECS)


def test_a_table_of_other_utterances_than_the_test_set_stops_the_statistics(tmp_path):
    study(tmp_path / "a", n=5)
    path = tmp_path / "a/metrics/50hz/stoi.csv"
    read_metric(tmp_path / "a", "50hz", "stoi")
    lines = path.read_text().splitlines()
    for wrong in (lines[:-1], [*lines, lines[-1]]):
        path.write_text("\n".join(wrong) + "\n")
        with pytest.raises(MetricError, match=r"stoi\.csv: holds . utterances, .*test\.tsv 5 \("):
            read_metric(tmp_path / "a", "50hz", "stoi")
