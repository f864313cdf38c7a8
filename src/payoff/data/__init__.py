"""Data sets: read, check, split, and take personal data out."""
