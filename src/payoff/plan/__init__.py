"""Choosing by money: candidates, the search, and the plan that it ends with."""
