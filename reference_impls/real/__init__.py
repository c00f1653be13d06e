"""The real tier: models and data that registries carry, on which methods are told apart.

The lab shows that a method learns; here is seen how well, beside others with the same budget. What
is trained comes in packages (`packages.txt`), and nothing of theirs is in this repository.
"""
