"""Experiments: whether a new version really earns more, told in money and valid at every look."""
