"""Compressing: the walk over smaller forms of a model, and the one that earns most."""
