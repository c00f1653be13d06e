from .full_fine_tuning import FullFineTuning as FullFineTuning
