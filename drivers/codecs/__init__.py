"""Pure protocols: bytes to events and back. Opens nothing, waits for nothing."""
