"""Where a method acts in a transformer block, drawn from what its card declares."""
