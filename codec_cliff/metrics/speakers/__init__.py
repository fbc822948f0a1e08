"""Speaker encoders that live in an environment of their own."""
