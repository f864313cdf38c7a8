"""``python -m payoff`` is the command ``payoff``, for where scripts are not on the path."""

from __future__ import annotations

from payoff.cli.main import main

if __name__ == "__main__":
    main()
