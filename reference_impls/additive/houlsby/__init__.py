from .houlsby import Houlsby as Houlsby
