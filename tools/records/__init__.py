"""What others know of a paper: citation files and registries, and the evidence kept of them."""
