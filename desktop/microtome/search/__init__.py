"""Search: spaces, engines, the ledger, the driver of a run."""
