"""One file per form of the database, oldest first."""
