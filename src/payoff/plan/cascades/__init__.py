"""Cascades of measured models: the best one, its host, and what is told of it."""
