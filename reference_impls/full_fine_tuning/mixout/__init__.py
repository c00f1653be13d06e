from .mixout import Mixout as Mixout
