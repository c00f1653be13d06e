from .mezo import MeZO as MeZO
