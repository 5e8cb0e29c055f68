"""Layers and networks of the reference models; nothing here knows diffusion."""
