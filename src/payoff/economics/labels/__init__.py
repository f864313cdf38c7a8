"""The worth of labels: how many to buy at a price, and which ones."""
