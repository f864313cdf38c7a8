"""The artifact: where training and serving meet. Its format is told in docs/artifact.md."""
