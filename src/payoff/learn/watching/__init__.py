"""Watching: what a model earns now against what was forecast, why, and whom to tell."""
