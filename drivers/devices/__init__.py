"""Codec plus link or bus: a thing with a name."""
