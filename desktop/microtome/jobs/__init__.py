"""Jobs: where code runs, in this process or in workers."""
