"""Evidence: what was measured. It never says money."""
