"""Formats of other tools: one file a target of ``payoff export``."""
