"""Cascades: several models asked from cheap to dear, and when to go on."""
