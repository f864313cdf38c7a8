"""Segments: parts of the market, by a column or found among the texts."""
