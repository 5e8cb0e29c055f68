"""Verbs that the reference models add to `univg-bench`."""
