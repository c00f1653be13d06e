"""Where records come from: citation files, and registries on the network."""
