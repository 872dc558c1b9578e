"""Images that are slices already: their classes, masks and data bars, and which set each goes to."""
