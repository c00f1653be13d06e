from .lomo import LOMO as LOMO
