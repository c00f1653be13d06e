from .prompt_tuning import PromptTuning as PromptTuning
