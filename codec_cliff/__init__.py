"""What a frame rate costs a neural speech codec."""
