"""What the server answers beside Streamlit: sessions, ratings, videos. `table.py` lists every address."""
