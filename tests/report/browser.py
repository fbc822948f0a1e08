"""A real headless Chromium for tests of the page; whoever has none skips them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt-get install chromium)")
ALL_DRAWN = "document.querySelectorAll('.chart').length === document.querySelectorAll('.chart[data-drawn]').length"


@contextmanager
def opened(playwright, page: Path, profile: Path, **options) -> Iterator[tuple]:
    """The page from disk with all its charts drawn, and the list of what went wrong: console errors, requests."""
    complaints: list[str] = []
    browser = playwright.chromium.launch_persistent_context(
        str(profile), executable_path=CHROMIUM, args=ARGUMENTS, **options
    )
    tab = browser.new_page()
    tab.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: complaints.append(request.url) if _leaves_the_page(request.url) else None)
    tab.goto(page.as_uri())
    tab.wait_for_function(ALL_DRAWN)
    yield tab, complaints
    browser.close()


def _leaves_the_page(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:"))
