"""Chips and wires: bytes to values and back, units and time. Knows no site and no policy."""
