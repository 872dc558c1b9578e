"""Whether an image set can be trusted: leaks between its sets, shortcuts between its classes, copies."""
