"""What is wrong with a volume: one look at every slice, findings and remedies."""
