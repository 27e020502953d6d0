"""Where the board is: in process first."""
