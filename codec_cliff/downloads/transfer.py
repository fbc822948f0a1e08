"""HTTP transfers that go on where they stopped, show how far they are, and look for room before they begin."""

import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from codec_cliff.errors import DownloadError

TIMEOUT_SECONDS = 60
BLOCK_BYTES = 1 << 20
SPARE_BYTES = 1 << 28  # left free on the disk whatever is downloaded


def fetch(partial: Path, urls: Sequence[str], unpacked: float = 0.0) -> list[str]:
    """Fill `partial` from the first of `urls` that gives all of it, keeping what an earlier try has left there.

    `unpacked` is the room that is needed afterwards, in multiples of the file. Returns what went wrong, one line a
    URL, where none of them did; DownloadError where the disk is too small.
    """
    partial.parent.mkdir(parents=True, exist_ok=True)
    faults = []
    for url in urls:
        try:
            _fetch_rest(partial, url, unpacked)
            return []
        except (OSError, http.client.HTTPException) as error:  # URLError and a timeout are OSErrors
            faults.append(f"{url} ({error})")
    return faults


def _fetch_rest(partial: Path, url: str, unpacked: float) -> None:
    """Append what is missing; a server that ignores the range sends everything, and the file starts anew."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the checksum decides
        raise
    resumed = response.headers.get("Content-Range") is not None
    announced = response.headers.get("Content-Length")
    if announced is not None:
        check_room(partial, int(announced), unpacked * (int(announced) + (have if resumed else 0)))
    with response, open(partial, "ab" if resumed else "wb") as file:
        _copy(response, file, url, int(announced) if announced is not None else None)


def check_room(partial: Path, rest: int, unpacked: float) -> None:
    """DownloadError where the disk below `partial` holds less than `rest` and `unpacked` bytes and some to spare."""
    needed, free = rest + int(unpacked) + SPARE_BYTES, shutil.disk_usage(partial.parent).free
    if free < needed:
        raise DownloadError(
            f"{partial}: needs {needed / 1e9:.1f} GB on this disk, {free / 1e9:.1f} GB are free; make room, or set the "
            "folder (corpus.root, cache) to another disk"
        )


def _copy(response: http.client.HTTPResponse, file: BinaryIO, url: str, announced: int | None) -> None:
    start = file.tell()
    total = start + announced if announced is not None else None
    print(f"{url}: from byte {start} of {total or 'an unknown number'}", flush=True)
    with tqdm(desc=url, total=total, initial=start, unit="B", unit_scale=True, disable=None) as progress:
        while block := response.read(BLOCK_BYTES):
            file.write(block)
            progress.update(len(block))
    if total is not None and file.tell() != total:
        raise ConnectionError(f"the connection ended at byte {file.tell()} of {total}")
