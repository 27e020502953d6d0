"""The Leezenflow display: how long the light stays green."""
