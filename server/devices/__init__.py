"""How phones are doing: last contact, what waits, clocks, and whether replicas are equal."""
