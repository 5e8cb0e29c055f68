"""The annotation app: blind pairs, G/S/B, ten sub-dimensions."""
