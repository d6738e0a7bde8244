"""How well: batch runs, metrics, leaderboard, reports."""
