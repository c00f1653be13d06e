from .compacter import Compacter as Compacter
