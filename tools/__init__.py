"""The catalog's commands. Nothing in here imports torch or `reference_impls`."""
