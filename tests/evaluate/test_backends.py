"""Defaults of a metric that somebody has added."""

import sys
from types import SimpleNamespace

import pytest

from codec_cliff.evaluate import backends
from codec_cliff.metrics.construct import EMBEDDED, METRICS


def test_every_metric_of_the_suite_has_its_backend_in_both_sets():
    assert backends.embedded_backends() == EMBEDDED
    assert list(backends.paper_backends()) == list(METRICS)


@pytest.mark.parametrize("named", ["embedded", "paper"])
def test_a_metric_that_no_set_names_is_measured_by_its_first_backend(monkeypatch, named):
    new = SimpleNamespace(BACKENDS={"first": None, "second": None})
    monkeypatch.setitem(sys.modules, "codec_cliff.metrics.new", new)
    monkeypatch.setattr(backends, "METRICS", ("new", *METRICS))
    schema = backends.SCHEMA.read_text(encoding="utf-8")
    naturalness = "      naturalness: {enum:"
    assert naturalness in schema
    listed = schema.replace(naturalness, f"      new: {{enum: [first, second]}}\n{naturalness}")
    monkeypatch.setattr(backends, "SCHEMA", SimpleNamespace(read_text=lambda encoding: listed))
    assert backends.choose("new,stoi", named) == {"new": "first", "stoi": "pystoi"}
