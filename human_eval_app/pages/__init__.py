"""What annotators see: one file per page, and app.py, the script that chooses among them."""
