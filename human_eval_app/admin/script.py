"""What Streamlit runs for every visit and every click; everything is in `page.py`, which is imported once."""

from human_eval_app.admin.page import show

show()
