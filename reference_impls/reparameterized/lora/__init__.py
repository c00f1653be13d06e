from .lora import LoRA as LoRA
