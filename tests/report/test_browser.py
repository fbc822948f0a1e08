"""The page in a real browser: it loads without a complaint, sounds, sorts, and is fit for keyboards, phones and dark rooms."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.report.listening import write
from codec_cliff.report.page import render
from tests.report.browser import needs_chromium, opened
from tests.report.fixtures import SPEAKERS, UTTERANCES, built, demo_config

pytestmark = needs_chromium

SECONDS = 4
TONES = {  # Hz; each codec sounds at a pitch of its own
    "original": 300,
    "50hz": 500,
    "6.25hz-fixed-duration": 700,
    "6.25hz-fixed-tokens": 900,
    "6.25hz-fixed-duration-repaired": 1100,
}
SCREENSHOTS = os.environ.get("CODEC_CLIFF_SCREENSHOTS")  # a folder to look at them afterwards


def sound(folder: Path) -> None:
    """Recordings of the fabricated study: a tone a codec, and the clips made of them."""
    ids = [(f"s{speaker}-{n}", f"s{speaker}") for speaker in range(SPEAKERS) for n in range(UTTERANCES)]
    time = np.arange(SECONDS * 16000) / 16000
    for codec, tone in TONES.items():
        path = folder / f"{codec}.flac"
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * tone * time), 16000, subtype="PCM_16")
        rows = [Utterance(name, speaker, str(path), len(time), 16000, "A B C") for name, speaker in ids]
        write_manifest(folder / "reconstruction" / codec / "manifest.tsv", rows)
        write_manifest(folder / "data" / "test.tsv", rows)
    write(folder, folder / "listening", list(TONES), ["6.25hz-fixed-duration", "6.25hz-fixed-tokens"])


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    study, results = built(folder, demo_config())
    sound(folder)
    path = folder / "report.html"
    path.write_text(render(study, results), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def session(playwright, page, tmp_path_factory):
    with opened(
        playwright, page, tmp_path_factory.mktemp("profile"), viewport={"width": 1280, "height": 900}
    ) as session:
        yield session


@pytest.fixture
def tab(session):
    tab, _ = session
    tab.evaluate("for (const player of players) { player.pause(); player.offset = 0; player.select(player.original); }")
    return tab


def state(tab):
    return tab.evaluate("(({state, codec}) => [state, codec])(players[0].article.dataset)")


def position(tab):
    return tab.evaluate("players[0].position()")


def until_playing(tab, codec):
    tab.wait_for_function(f"players[0].article.dataset.state === 'playing' && players[0].codec === '{codec}'")


def test_it_loads_without_a_complaint_and_without_the_network(session):
    tab, complaints = session
    tab.wait_for_timeout(200)
    assert complaints == []
    assert tab.evaluate("document.querySelectorAll('.chart svg path').length") > 100


def test_links_resolve(tab):
    broken = "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))"
    targets = tab.evaluate(broken)
    assert len(targets) > 20
    ids = set(tab.evaluate("[...document.querySelectorAll('[id]')].map(e => '#' + e.id)"))
    assert set(targets) <= ids


def test_tables_sort_by_number_both_ways(tab):
    column = "[...document.querySelectorAll('#table2 tbody tr')].map(row => parseFloat(row.cells[1].textContent))"
    heading = tab.locator("#table2 thead th").nth(1)
    before = tab.evaluate(column)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert tab.evaluate(column) == sorted(before) != before
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert tab.evaluate(column) == sorted(before, reverse=True)


def test_a_player_plays_and_switches_at_the_same_position(tab):
    player = tab.locator("#hear-1")
    player.get_by_role("button", name="Play", exact=True).click()
    until_playing(tab, "original")
    tab.wait_for_function("players[0].position() > 0.6")
    before = position(tab)
    player.locator("[data-codec='6.25hz-fixed-tokens'] .choose").click()
    until_playing(tab, "6.25hz-fixed-tokens")
    assert before <= position(tab) < before + 1.5  # it went on, neither from the start nor beyond
    assert player.locator(".clip.current").get_attribute("data-codec") == "6.25hz-fixed-tokens"
    player.locator(".ab").click()
    until_playing(tab, "original")
    player.press("o")
    until_playing(tab, "6.25hz-fixed-tokens")
    player.get_by_role("button", name="Pause").click()
    assert state(tab) == ["paused", "6.25hz-fixed-tokens"]


def test_switching_takes_no_time_once_the_clips_are_decoded(tab):
    tab.locator("#hear-1 .play").click()
    until_playing(tab, "original")
    jump = """async () => {
        const player = players[0];
        for (const codec of player.clips.keys()) await player.buffer(codec);
        const before = player.position();
        await player.choose('50hz');
        return player.position() - before;
    }"""
    assert abs(tab.evaluate(jump)) < 0.1


@pytest.mark.parametrize(("codec", "tone"), TONES.items())
def test_each_clip_is_its_codecs_sound(tab, codec, tone):
    heard = f"""async () => {{
        const buffer = await players[0].buffer('{codec}'), samples = buffer.getChannelData(0);
        let crossings = 0;
        for (let i = 1; i < samples.length; i++) if (samples[i - 1] < 0 && samples[i] >= 0) crossings++;
        return [buffer.duration, crossings / buffer.duration];
    }}"""
    duration, pitch = tab.evaluate(heard)
    assert duration == pytest.approx(SECONDS, abs=0.03)
    assert pitch == pytest.approx(tone, rel=0.02)


def test_without_script_the_browsers_own_player_has_the_clip(tab):
    plays = """async () => {
        const audio = document.querySelector('#hear-1 [data-codec="50hz"] audio');
        audio.muted = true;
        await audio.play();
        audio.pause();
        return audio.duration;
    }"""
    assert tab.evaluate(plays) == pytest.approx(SECONDS, abs=0.1)


def test_the_end_is_a_pause_and_play_starts_anew(tab):
    tab.evaluate("players[0].moveTo(3.8)")
    tab.locator("#hear-1 .play").click()
    tab.wait_for_function("players[0].article.dataset.state === 'paused' && players[0].offset > 3.9")
    tab.locator("#hear-1 .play").click()
    until_playing(tab, "original")
    assert position(tab) < 2


def test_tables_and_the_figure_play_their_codec(tab):
    tab.locator("#table4 .hear[data-codec='6.25hz-fixed-tokens']").click()
    until_playing(tab, "6.25hz-fixed-tokens")
    assert "6.25 Hz, fixed tokens" in tab.locator("#hearing").inner_text()
    mark = tab.locator("#chart-stoi path[tabindex][aria-label*='6.25 Hz, fixed duration, repaired']")
    mark.click()
    until_playing(tab, "6.25hz-fixed-duration-repaired")
    other = tab.locator("#chart-stoi path[tabindex][aria-label*='6.25 Hz, fixed duration:']")
    other.focus()
    other.press("Enter")
    until_playing(tab, "6.25hz-fixed-duration")


def test_a_point_tells_its_run_and_interval(tab):
    tab.locator("#chart-stoi path[tabindex][aria-label*='6.25 Hz, fixed tokens']").hover()
    tip = tab.locator("#vg-tooltip-element")
    tip.wait_for(state="visible")
    text = tip.inner_text()
    assert "6.25hz-fixed-tokens" in text
    assert "[0." in text
    assert "pystoi" in text


def test_the_theme_can_be_chosen_and_is_kept(tab):
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for _ in range(3):
        tab.locator("#theme").click()
        seen[tab.locator("#theme .label").inner_text()] = tab.evaluate(ground)
    assert seen["light"] == "rgb(255, 255, 255)"
    assert seen["dark"] == "rgb(20, 22, 26)"
    assert seen["system"] == seen["light"]


LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


@pytest.mark.parametrize("look", LOOKS)
def test_no_look_complains_or_is_wider_than_the_screen(playwright, page, tmp_path, look):
    with opened(playwright, page, tmp_path / "profile", **LOOKS[look]) as (tab, complaints):
        assert complaints == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= LOOKS[look]["viewport"]["width"]
        if look != "dark":  # the phone is dark too
            assert violations(tab) == []
        if SCREENSHOTS:
            tab.screenshot(path=Path(SCREENSHOTS) / f"page-{look}.png", full_page=True)


def violations(tab):
    """What axe-core finds against WCAG 2.1 AA: names, roles, contrast, keyboard."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}).response["violations"]
    return [(rule["id"], [node["html"][:150] for node in rule["nodes"][:3]]) for rule in found]


def test_print_is_light_and_shows_what_is_folded(playwright, page, tmp_path):
    with opened(playwright, page, tmp_path / "profile", color_scheme="dark") as (tab, _):
        tab.emulate_media(media="print")
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.locator("nav").is_hidden()
        document = tab.pdf(path=Path(SCREENSHOTS) / "page.pdf" if SCREENSHOTS else None)
        assert document.startswith(b"%PDF")
        assert tab.evaluate("[...document.querySelectorAll('details')].every(details => details.open)")
