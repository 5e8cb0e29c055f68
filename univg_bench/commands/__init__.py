"""The verbs of `univg-bench`, one file each; nothing heavy is imported before a verb runs."""
