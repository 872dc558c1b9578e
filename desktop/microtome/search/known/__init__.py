"""What is known already: the ledger of what was trained, claims on it, warm starts and inherited weights."""
