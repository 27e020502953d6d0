"""Other people's recordings, made ours."""
