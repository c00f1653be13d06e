from .unipelt import UniPELT as UniPELT
