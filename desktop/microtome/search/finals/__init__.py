"""The honest winner: finalists trained again, their ranking, and the evaluation that only the best one sees."""
