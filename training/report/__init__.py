"""The paper's tables and figures from results on disk."""
