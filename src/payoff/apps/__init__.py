"""Whole jobs put together from the rooms below, as one person would ask for them.

`starter` writes a project's first ``payoff.toml``; `doctor` examines the machine.
"""
