"""Learned predictors of naturalness."""
