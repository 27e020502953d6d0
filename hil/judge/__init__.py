"""What was promised against what came out."""
