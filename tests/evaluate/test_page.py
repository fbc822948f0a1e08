"""The page of an evaluation in a real browser: whole, quiet, and fit for keyboards and phones."""

import pytest

from codec_cliff.evaluate.command import main
from tests.evaluate.folders import noisy, originals, system
from tests.report.browser import needs_chromium, opened

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    originals(folder / "originals")
    named = [str(system(folder / name, noisy)) for name in ("mine", "a_long_name_of_a_system_that_somebody_trained")]
    output = folder / "out"
    options = ["--output", str(output), "--metrics", "stoi", "--jobs", "1", "--bootstrap-samples", "100"]
    main([str(folder / "originals"), *named, *options])
    return output / "report.html"


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.mark.parametrize("width", [375, 1280])
def test_it_loads_without_a_complaint_and_fits_its_width(playwright, page, tmp_path, width):
    with opened(playwright, page, tmp_path, viewport={"width": width, "height": 800}) as (tab, complaints):
        assert complaints == []
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tab.locator(".chart .mark-symbol.role-mark path").count() == 2


def test_by_keyboard_alone_one_hears_a_system_and_the_original(playwright, page, tmp_path):
    with opened(playwright, page, tmp_path, viewport={"width": 1280, "height": 800}) as (tab, _):
        player = tab.locator(".player").first
        for _ in range(60):
            tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.matches('.player .clip[data-codec=mine] .choose')"):
                break
        tab.keyboard.press("Enter")
        tab.wait_for_function("players[0].source !== null")
        assert player.get_attribute("data-codec") == "mine"
        tab.keyboard.press("o")
        tab.wait_for_function("players[0].codec === 'original'")
        tab.keyboard.press("o")
        tab.wait_for_function("players[0].codec === 'mine'")
