"""Results: from events to states, tables, intervals and reports."""
