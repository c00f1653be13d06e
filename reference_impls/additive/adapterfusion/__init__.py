from .adapterfusion import AdapterFusion as AdapterFusion
