"""Copies of volumes that are slow to read, with coarser levels."""
