"""The market: segments in money, which to enter first, one model for all or one each."""
