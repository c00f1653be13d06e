from .mam import MAM as MAM
