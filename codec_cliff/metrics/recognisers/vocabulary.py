"""Moonshine's byte-pair vocabulary, as its wheel packs it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

SPACE = "▁"


def read_vocabulary(path: Path) -> list[bytes]:
    """Each token's bytes: one after the other, preceded by their number; 128 and more take two bytes, the lower seven bits first."""
    packed, tokens, place = path.read_bytes(), [], 0
    while place < len(packed):
        size, place = packed[place], place + 1
        if size >= 128:
            size, place = size - 128 + 128 * packed[place], place + 1
        tokens.append(packed[place : place + size])
        place += size
    return tokens


def spell(vocabulary: Sequence[bytes], tokens: Iterable[int]) -> str:
    """Text of tokens; a byte that is no UTF-8 becomes a replacement character, which no normaliser keeps."""
    joined = b"".join(vocabulary[token] for token in tokens)
    return joined.decode("utf-8", errors="replace").replace(SPACE, " ").strip()
