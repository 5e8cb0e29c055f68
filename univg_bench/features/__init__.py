"""From frames to feature vectors: torch goes in, NumPy comes out."""
