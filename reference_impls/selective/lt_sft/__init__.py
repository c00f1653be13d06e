from .lt_sft import LTSFT as LTSFT
