"""Running on a board. The only room that imports boards."""
