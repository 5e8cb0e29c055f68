"""Metrics as pure functions on float64 arrays; nothing here knows torch or video files."""
