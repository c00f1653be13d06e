from .adaptersoup import AdapterSoup as AdapterSoup
