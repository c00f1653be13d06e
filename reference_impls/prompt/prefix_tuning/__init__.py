from .prefix_tuning import PrefixTuning as PrefixTuning
