"""What is known about the cause: the README, the page and the published page say it in the same five sentences."""

import re

from tests.paths import ROOT


def test_the_readme_and_the_page_say_the_same():
    text = (ROOT / "codec_cliff/report/templates/cause.txt").read_text(encoding="utf-8").strip()
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert text in readme
    assert text in (ROOT / "results/pilot/published.html").read_text(encoding="utf-8")
    assert len(re.findall(r"[.](?= [A-Z]|$)", text)) == 5
