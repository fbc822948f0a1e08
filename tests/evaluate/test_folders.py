"""Files and folders as users name them: what cannot be told apart, what is left out, where nothing may be written."""

from pathlib import Path

import pytest

from codec_cliff.errors import CorpusError
from codec_cliff.evaluate.folders import check_output, name_problems, read_originals, read_systems


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "shared"),
    [(("u0.wav", "u0.flac"), "u0"), (("s0/1.wav", "s1/1.wav", "s0-1.wav"), "s0-1")],
)
def test_two_files_of_one_name_are_refused_by_both_names(tmp_path, names, shared):
    touched(tmp_path, *names)
    with pytest.raises(CorpusError, match=f"both would be the recording {shared}; rename or remove one") as error:
        read_originals(tmp_path)
    assert str(tmp_path / names[0]) in str(error.value)
    assert str(tmp_path / names[-1]) in str(error.value)


def test_every_file_of_a_recording_is_measured_or_named(tmp_path):
    originals = read_originals(touched(tmp_path / "originals", "u0.wav", "u1.wav", "u2.wav"))
    mine = touched(tmp_path / "mine", "u0.opus", "u0_6kbps.opus", "u1.ogg", "u1.opus", "u1_6kbps.opus", "u2.opus")
    (system,) = read_systems([str(mine)], originals)
    assert list(system.match.files) == ["u0", "u2"]
    found = [(each.kind, each.utterance_id, each.file, each.problem) for each in name_problems(originals, [system])]
    passed_over = "is left out, as {} has the recording's very name"
    assert found == [
        ("further file", "u0", f"{mine / 'u0_6kbps.opus'}", passed_over.format(mine / "u0.opus")),
        (
            "further file",
            "u1",
            f"{mine / 'u1_6kbps.opus'}",
            passed_over.format(f"{mine / 'u1.ogg'}, {mine / 'u1.opus'}"),
        ),
        (
            "several files",
            "u1",
            f"{mine / 'u1.ogg'}",
            f"stands for one recording with {mine / 'u1.opus'}; remove all but one",
        ),
    ]


def test_a_system_of_nothing_but_twins_is_told_so(tmp_path):
    originals = read_originals(touched(tmp_path / "originals", "u0.wav", "u1.wav"))
    mine = touched(tmp_path / "mine", "u0.ogg", "u0.opus")
    with pytest.raises(CorpusError) as error:
        read_systems([str(mine)], originals)
    assert str(error.value) == (
        f"{mine}: several files stand for each recording that it has, as for u0: {mine / 'u0.ogg'}, {mine / 'u0.opus'}; "
        "remove all but one of each"
    )


@pytest.mark.parametrize(
    ("output", "changed"),
    [
        ("originals", "originals"),
        ("originals/results", "originals"),
        ("mine/../originals/results", "originals"),
        ("link", "originals"),
        ("mine/out", "mine"),
        ("theirs", "theirs/listening"),
    ],
)
def test_an_output_that_a_run_would_read_or_remove_is_refused(tmp_path, output, changed):
    touched(tmp_path, "originals/u0.wav", "mine/u0.wav", "theirs/listening/u0.wav")
    (tmp_path / "link").symlink_to("originals")
    with pytest.raises(CorpusError) as error:
        check_output(
            tmp_path / output, tmp_path / "originals", [f"m={tmp_path / 'mine'}", f"{tmp_path}/theirs/listening"]
        )
    assert f"--output {tmp_path / output} would change what is read from {tmp_path / changed}: " in str(error.value)
    assert str(error.value).endswith(f"name an output outside {tmp_path / changed}")


@pytest.mark.parametrize("output", [".", "..", "out", "data/out"])
def test_an_output_beside_or_above_what_is_read_is_fine(tmp_path, output):
    touched(tmp_path, "data/originals/u0.wav", "mine/u0.wav")
    check_output(tmp_path / output, tmp_path / "data" / "originals", [str(tmp_path / "mine")])


def test_the_folder_that_the_list_of_recordings_is_written_to_is_not_theirs(tmp_path):
    touched(tmp_path, "data/u0.wav", "mine/u0.wav")
    with pytest.raises(CorpusError, match="would change what is read from"):
        check_output(tmp_path, tmp_path / "data", [str(tmp_path / "mine")])
