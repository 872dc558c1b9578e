"""The viewer of a volume: its planes, the free plane, contrast, and what can be saved of them."""
