"""Trying parts on a desk or in a cabinet: real time, real ports, and a plain word on what is wrong."""
