"""Who runs the chunks of a plan."""
