"""The researcher's side of a study, on a port of its own: the annotators' process cannot render any of it."""
