"""`payoff tune`: one recipe on one backbone, for each kind of task, and sweeps over settings."""
