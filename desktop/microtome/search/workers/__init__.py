"""Where trials work: processes or a cluster, their devices, and whose fault it is when a worker dies."""
