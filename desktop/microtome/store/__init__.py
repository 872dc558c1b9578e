"""What lies on disk: atomic replacement, append-only journals, projects and run folders."""
