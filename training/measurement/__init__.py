"""What networks cost and what samples hold: operations, memory, time, statistics."""
