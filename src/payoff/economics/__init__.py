"""Money: payoffs, policies, prices, costs and forecasts; the only package that says money."""
