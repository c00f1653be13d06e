from .bitfit import BitFit as BitFit
