"""Early stopping: the schedule, successive halving and the rules that end a trial which has fallen behind."""
