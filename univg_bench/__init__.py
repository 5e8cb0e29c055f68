"""UniVG-Bench: protocols, samples, features, statistics and records for unified-modal video generation."""

__version__ = "0.1.0"
