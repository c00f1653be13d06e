from .fish_mask import FishMask as FishMask
