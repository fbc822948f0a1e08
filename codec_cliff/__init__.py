"""What a frame rate costs a neural speech codec."""

__version__ = "0.1.0"
