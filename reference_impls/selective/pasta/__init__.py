from .pasta import PASTA as PASTA
