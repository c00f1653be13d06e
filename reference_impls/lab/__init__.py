"""The lab: tiny pre-trained backbones and the tasks that they are adapted to."""
