"""What the light should do: scan cycle, last gate, and the policies."""
