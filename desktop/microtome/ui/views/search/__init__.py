"""The pages of a search: what it will take, its trials in every view, and what was learnt."""
