"""The tabbed pages."""
