from .galore import GaLore as GaLore
