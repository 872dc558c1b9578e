"""Which block of a volume each set gets, so that the sets are independent."""
