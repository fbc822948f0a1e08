"""Codecs: trained and published ones answer the same calls."""
