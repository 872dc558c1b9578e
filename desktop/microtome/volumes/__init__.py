"""Volumes: reading, simulating, describing."""
