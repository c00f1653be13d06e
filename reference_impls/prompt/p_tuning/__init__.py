from .p_tuning import PTuning as PTuning
