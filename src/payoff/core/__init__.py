"""The vocabulary that all rooms share: errors, money, findings, files, progress, registry."""
