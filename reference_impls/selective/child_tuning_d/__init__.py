from .child_tuning_d import ChildTuningD as ChildTuningD
