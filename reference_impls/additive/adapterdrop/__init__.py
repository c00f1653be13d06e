from .adapterdrop import AdapterDrop as AdapterDrop
