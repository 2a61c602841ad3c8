"""Measures of answers, rankings and confidences: pure functions on texts and NumPy arrays."""
