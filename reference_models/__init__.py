"""Reference implementations of the three UniVG stages (networks, pipelines and training are added stage by stage)."""
