"""Measurements: how fast and how smooth; they print figures and never fail for being slow."""
