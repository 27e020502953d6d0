"""LED panels behind a process of their own: their libraries block, may want root, and have no place in a loop."""
