from .child_tuning_f import ChildTuningF as ChildTuningF
