"""The page of a training: its curves, what it sees, how good it is, and what it answers."""
