"""Training: one trial from a specification to a measured network."""
