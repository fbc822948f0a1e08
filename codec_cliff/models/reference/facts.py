"""What Table 1 and the authors say of each published codec, declared without loading any weights."""

from codec_cliff.errors import CodecError
from codec_cliff.models.codec import CodecFacts
from codec_cliff.study.config import bitrate


def _facts(sample_rate: int, frame_rate: float, n_codebooks: int, codebook_size: int) -> CodecFacts:
    return CodecFacts(
        sample_rate, frame_rate, n_codebooks, codebook_size, bitrate(frame_rate, n_codebooks, codebook_size)
    )


def _snac_facts() -> CodecFacts:
    # Three levels at a quarter, a half and the whole of the fastest rate, so Eq. 1 is summed over them.
    fastest = 24000 / 512
    return CodecFacts(24000, fastest, 3, 4096, sum(bitrate(fastest / stride, 1, 4096) for stride in (4, 2, 1)))


TABLE_1 = {
    "dac_16k": _facts(16000, 50, 12, 1024),
    "bigcodec": _facts(16000, 80, 1, 8192),
    "dac_24k": _facts(24000, 75, 32, 1024),
    "qwen3_tts_12hz": _facts(24000, 12.5, 16, 2048),
    "mimi_8": _facts(24000, 12.5, 8, 2048),
    "mimi_32": _facts(24000, 12.5, 32, 2048),
    "snac_24k": _snac_facts(),
    "wavtokenizer_75": _facts(24000, 75, 1, 4096),
    "wavtokenizer_40": _facts(24000, 40, 1, 4096),
}

# Beyond the paper's table, from the publications and cards of each; FlexiCodec's codebooks are said on the hub alone.
BEYOND = {
    "encodec_3": _facts(24000, 75, 4, 1024),
    "encodec_6": _facts(24000, 75, 8, 1024),
    "speechtokenizer": _facts(16000, 50, 8, 1024),
    "nanocodec": _facts(22050, 12.5, 13, 2016),
    "flexicodec": CodecFacts(16000, 12.5, 0, 0, 0.0),
    "lyra_3200": _facts(16000, 50, 16, 16),
    "lyra_6000": _facts(16000, 50, 30, 16),
    "lyra_9200": _facts(16000, 50, 46, 16),
}
PUBLISHED = TABLE_1 | BEYOND


def opus_kbps(codec_id: str) -> int | None:
    """The bitrate in `opus_<kbps>`, or None where the id names no Opus."""
    name, _, kbps = codec_id.rpartition("_")
    return int(kbps) if name == "opus" and kbps.isdigit() and int(kbps) > 0 else None


def reference_facts(codec_id: str) -> CodecFacts:
    """The declared facts of a published codec; Opus has no codebooks, 50 packets a second and its nominal bitrate."""
    kbps = opus_kbps(codec_id)
    if kbps is not None:
        return CodecFacts(16000, 50, 0, 0, 1000.0 * kbps)
    if codec_id not in PUBLISHED:
        raise CodecError(f"{codec_id}: no such published codec; known: {', '.join(PUBLISHED)}, opus_<kbps>")
    return PUBLISHED[codec_id]


def check_facts(codec_id: str, **found: float) -> CodecFacts:
    """The declared facts, held against what the loaded model says of itself; CodecError where they differ."""
    facts = reference_facts(codec_id)
    for name, value in found.items():
        if value != getattr(facts, name):
            raise CodecError(
                f"{codec_id}: the loaded weights have {name} {value}, declared (Table 1) is {getattr(facts, name)}; "
                "they belong to another model: delete them from the cache to have them downloaded again"
            )
    return facts
