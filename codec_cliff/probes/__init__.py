"""Probes: one file, one question that the paper did not ask."""
