"""Before a search: its corners are tried for a minute, and hours, disk and trials are promised."""
