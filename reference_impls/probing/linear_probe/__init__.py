from .linear_probe import LinearProbe as LinearProbe
