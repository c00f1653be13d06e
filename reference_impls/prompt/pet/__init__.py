from .pet import PET as PET
