"""The three stages of UniVG and the pipelines made of them: from prompt, image and video to uint8 video.

Here the mathematics of `diffusion` and the layers of `nn` meet. docs/stages.md goes from equation to line.
"""
