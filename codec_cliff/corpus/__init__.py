"""Corpora: every kind yields the same manifest and audio store."""
