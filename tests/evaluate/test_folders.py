"""Originals that their names cannot tell apart."""

import pytest

from codec_cliff.errors import CorpusError
from codec_cliff.evaluate.folders import read_originals


@pytest.mark.parametrize(
    ("names", "shared"),
    [(("u0.wav", "u0.flac"), "u0"), (("s0/1.wav", "s1/1.wav", "s0-1.wav"), "s0-1")],
)
def test_two_files_of_one_name_are_refused_by_both_names(tmp_path, names, shared):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(CorpusError, match=f"both would be the recording {shared}; rename or remove one") as error:
        read_originals(tmp_path)
    assert str(tmp_path / names[0]) in str(error.value)
    assert str(tmp_path / names[-1]) in str(error.value)
