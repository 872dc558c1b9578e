"""The volumes page: all volumes, what is wrong with one, and its corrections."""
