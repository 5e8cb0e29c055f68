"""One page of the admin app per file; `human_eval_app.admin.page` puts them together."""
