"""What attached hardware and the operating system say against a board file."""
