"""Figures as pages, tables and pictures."""
