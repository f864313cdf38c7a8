"""Readers: one file format a file, each giving a `Reading` or a coded error."""

from __future__ import annotations
