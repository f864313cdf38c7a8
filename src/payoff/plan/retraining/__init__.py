"""Retraining: a new version from what the market told, compared with the one in use."""
