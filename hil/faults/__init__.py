"""Faults to order: on wires, in peers, of boards; by a case file or by hand, repeatable by seed, always undone."""
