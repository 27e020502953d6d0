"""Scan cycle, last gate, calendar, site file. Knows no product."""
