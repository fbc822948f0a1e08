"""Coverage by gradient of codecs whose layers the count by lengths does not know."""

import pytest

from codec_cliff.errors import CodecError, ConfigError
from codec_cliff.models.published import padded_elsewhere, published_coverage
from codec_cliff.probes import command


def test_a_causal_codecs_earlier_taps_meet_zeros_alone_in_a_clip_of_one_token():
    """Mimi at one token: its convolution over tokens reads tokens before the clip; upsampling doubles them, and 7 taps read 2."""
    tokens, layers = published_coverage("mimi_8", 1920)
    bare = {layer.layer.removesuffix(".conv"): layer.uncovered for layer in layers if layer.uncovered}
    assert tokens == 1
    assert bare["decoder.decoder_seanet.layers.0"] == (
        0,
        1,
        2,
        3,
        4,
    )  # the two latest of seven meet the two half tokens
    assert padded_elsewhere("mimi_8") > 0


@pytest.mark.parametrize(("tokens", "bare"), [(3, (0, 1)), (4, ())])
def test_reflection_covers_what_zeros_would_not(tokens, bare):
    """EnCodec mirrors the clip before it: with zeros there, its first decoder convolution would need seven tokens.

    Of clips shorter than the padding it mirrors the zeros that it appends.
    """
    found, layers = published_coverage("encodec_6", tokens * 320)
    assert found == tokens
    assert next(layer for layer in layers if layer.layer.startswith("decoder.layers.0")).uncovered == bare


def test_the_command_and_its_mistakes(capsys, monkeypatch):
    monkeypatch.setattr(command, "published_coverage", lambda codec, samples: (150, []))
    monkeypatch.setattr(command, "padded_elsewhere", lambda codec: 17)
    command.main(["--codec", "mimi_8", "--clip", "12s"])
    printed = capsys.readouterr().out
    assert "288000 samples (12 s) is 150 tokens" in printed
    assert "17 of its convolutions" in printed
    with pytest.raises(ConfigError, match="give --strides"):
        command.main(["--codec", "mimi_8", "--clip", "12s", "--csv", "x.csv"])
    with pytest.raises(CodecError, match="in no package, but in its authors' code; known: dac_16k"):
        published_coverage("bigcodec", 16000)
