"""Diffusion without networks: schedules, predictions, noise, guidance, Biased Gaussian Noise, solvers.

Everything works on tensors `(B, F, C, H, W)` (any number of axes after B does) and on float64 tables over timesteps.
"""
