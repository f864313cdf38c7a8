"""Channels: how people are told of an alert."""
