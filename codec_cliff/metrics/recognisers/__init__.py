"""Speech recognisers for the word error rate."""
