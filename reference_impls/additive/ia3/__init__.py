from .ia3 import IA3 as IA3
