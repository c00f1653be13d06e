from .pfeiffer import Pfeiffer as Pfeiffer
