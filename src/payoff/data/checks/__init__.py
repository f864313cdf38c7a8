"""Checks of a data set: one family a file, each check a function from a `Subject` to a finding."""

from __future__ import annotations
