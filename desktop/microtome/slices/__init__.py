"""Cutting: what to cut, where, how, into which set."""
