"""Which wire goes where: board descriptions, pins, and the one composition root."""
