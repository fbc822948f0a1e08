"""Section 3.2: one file one metric, each with the backends that can measure it."""
