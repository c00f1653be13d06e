from .diff_pruning import DiffPruning as DiffPruning
