"""How passages of a question are read: the seam, its implementations and their calibration."""
