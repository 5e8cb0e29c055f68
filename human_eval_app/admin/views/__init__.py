"""One page of the admin app per file; `human_eval_app.admin.page` puts them together.

The folder must not be called `pages`: Streamlit runs every file of a folder of that name beside its script by itself,
before the login was asked for.
"""
