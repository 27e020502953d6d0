"""The trace format: MCAP in and out."""
