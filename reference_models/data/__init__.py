"""Training data: videos and images with captions, by number, with all chance from a generator that is passed in."""
