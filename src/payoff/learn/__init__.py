"""What the market teaches: the journal of decisions."""
