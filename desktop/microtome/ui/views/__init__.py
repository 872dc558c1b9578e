"""Plots and pictures, without behaviour."""
