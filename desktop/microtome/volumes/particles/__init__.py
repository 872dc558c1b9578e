"""Volumes that are particles: structures from files or simulated, and the voxels drawn from them."""
