"""Finds the closed forms that the calculator evaluates, and holds them against the code."""
