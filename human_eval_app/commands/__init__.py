"""The verbs of the annotation app, one file each; the entry points in pyproject.toml name them."""
