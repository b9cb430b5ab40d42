"""What our transport does with everything that a fuzzing server sends it."""
