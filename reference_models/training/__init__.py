"""Training: the autoencoder, then one loop for the three stages."""
