"""The training page: which network, its first weights, and how its images are augmented."""
