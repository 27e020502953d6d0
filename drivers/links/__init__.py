"""The only code that touches the outside. Moves bytes, never parses them."""
