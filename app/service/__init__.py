"""The use cases: they decide nothing that the plan decides, and touch the world only through the ports."""
