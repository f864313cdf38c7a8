"""Pretrained models: a catalogue, how they are installed, and how they are loaded."""
