from .p_tuning_v2 import PTuningV2 as PTuningV2
