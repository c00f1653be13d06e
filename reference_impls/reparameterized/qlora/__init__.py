from .qlora import QLoRA as QLoRA
