"""Adapting pretrained models: everything that needs torch, and nothing that serving needs."""
