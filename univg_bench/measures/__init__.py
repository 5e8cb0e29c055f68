"""From features on disk to numbers: one row of `kinds.KINDS` per metric kind, and the functions it names."""
