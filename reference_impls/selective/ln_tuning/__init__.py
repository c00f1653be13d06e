from .ln_tuning import LnTuning as LnTuning
