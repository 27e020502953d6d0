"""Rigs: a file that says which port of this bench leads to which wire of which board, and what is done before a run."""
