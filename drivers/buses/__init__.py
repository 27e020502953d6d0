"""Masters of a shared wire."""
