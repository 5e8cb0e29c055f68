"""What a researcher can do with a study: take ratings home, let people in, leave people out, back up, close."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from human_eval_app.admin import shown
from human_eval_app.admin.exports import FORMATS, file_name, ratings_bytes, report_bytes
from human_eval_app.admin.people import people
from human_eval_app.admin.results import state_of
from human_eval_app.admin.server import Desk
from human_eval_app.backup import copy_database, new_name
from human_eval_app.export import require_sight
from human_eval_app.forgetting import forget
from human_eval_app.storage import DAY_MS, audit
from univg_bench.errors import InputError

MAX_CODES = 500


def show(desk: Desk, who: str) -> None:
    """Draw what can be done. who: for the log, where every deed becomes a line."""
    left, right = st.columns(2, gap="large")
    with left:
        _exports(desk, who)
        _codes(desk, who)
    with right:
        _person(desk, who)
        _backup(desk, who)
        _close(desk, who)


def _exports(desk: Desk, who: str) -> None:
    st.subheader("Exports", anchor=False)
    store = desk.store
    try:
        require_sight(store)
    except InputError:
        st.info("Ratings can be taken home once the study is closed: they are the results.")
        return
    if not state_of(store).num_submissions:
        st.info("There are no ratings yet.")
        return
    st.caption("One row per answer under aliases; practice and known pairs are marked. Every download is a log line.")
    with st.container(horizontal=True):
        for ending, media in FORMATS.items():
            # made when the button is pressed, by the code of `univg-bench human export`
            st.download_button(
                f"Ratings {ending[1:].upper() if ending != '.parquet' else 'Parquet'}",
                partial(ratings_bytes, store, ending, who=who), file_name=file_name(store, ending), mime=media,
                key=f"export{ending}", on_click="ignore", icon=":material/download:",
            )  # fmt: skip
        st.download_button(
            "Report HTML", partial(report_bytes, store, who=who), file_name=file_name(store, "-report.html"),
            mime="text/html", key="export_report", on_click="ignore", icon=":material/download:",
        )  # fmt: skip


def _codes(desk: Desk, who: str) -> None:
    st.subheader("Codes", anchor=False)
    store = desk.store
    if store.closed():
        st.write("The study is closed; a code would let nobody in.")
        return
    days = store.study.code_days
    with st.form("codes", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input("How many people", 1, MAX_CODES, 1, key="num_codes", width=160)
        asked = st.form_submit_button("Issue codes", icon=":material/key:")
    st.caption(f"One code per person, good for {days} days. Codes are shown this once; the database keeps hashes.")
    if not asked:
        return
    codes = store.issue_codes(int(count), who=who)
    until = shown.time_text(store.now_ms() + days * DAY_MS)
    text = "\n".join(codes) + "\n"
    st.success(f"{len(codes)} new {'code' if len(codes) == 1 else 'codes'}, good until {until}. Copy them now.")
    st.code(text, language=None, height=min(40 + 24 * len(codes), 260))
    st.download_button("Download as text", text, file_name=file_name(store, "-codes.txt"), key="codes_file",
                       mime="text/plain", on_click="ignore", icon=":material/download:")  # fmt: skip


def _person(desk: Desk, who: str) -> None:
    st.subheader("Leave somebody out", anchor=False)
    known = {p.alias: p for p in people(desk.store)}
    if not known:
        st.write("There is nobody to leave out.")
        return
    st.caption(
        "For a person who asks for it. **Withdraw**: their answers count no more and are in no export, their code is "
        "erased, and their pairs go to others. **Forget**: that, and what is known of their device, their comment and "
        "what their player did are deleted. Neither can be undone."
    )
    with st.form("leave_out", border=False):
        alias = st.text_input("Alias of the person", key="leave_out_alias", placeholder="p-0123456789").strip()
        with st.container(horizontal=True):
            withdrawn = st.form_submit_button("Withdraw", icon=":material/person_remove:")
            forgotten = st.form_submit_button("Forget", icon=":material/delete:")
    if not (withdrawn or forgotten):
        return
    if alias not in known:
        st.error("Nobody has this alias; *Annotators* lists all. Nothing was changed.")
    elif forgotten:  # also who withdrew before: what ties them to a person is still there
        num_events = forget(desk.store, [known[alias].id], who=who)
        st.success(f"{alias} is forgotten; {num_events} playback events went too. Older backups still hold them.")
    elif known[alias].state == "withdrawn":
        st.error(f"{alias} withdrew before. Nothing was changed.")
    else:
        desk.store.withdraw(known[alias].id, who=who)
        st.success(f"{alias} is left out from now on.")


def _backup(desk: Desk, who: str) -> None:
    st.subheader("Backup", anchor=False)
    folder = desk.folder
    if "://" in folder.database:
        st.write("The ratings are in PostgreSQL, which has a tool of its own for this: `pg_dump`.")
        return
    st.caption(
        f"A copy of the database goes to `{folder.backups}`, while people go on rating. It holds no key: without the "
        "file `pepper`, which you keep elsewhere, its codes let nobody in."
    )
    if not st.button("Back up now", key="backup", icon=":material/save:"):
        return
    source = Path(folder.database)
    dest = folder.backups / new_name(source.stem, "")
    copy_database(source, dest)
    now = desk.store.now_ms()
    desk.store.database.write(lambda connection: audit(connection, now, who, "backup", dest.name))
    st.success(f"{dest.name} is written, {dest.stat().st_size / 1e6:.1f} MB, and was read back whole.")


def _close(desk: Desk, who: str) -> None:
    st.subheader("Close the study", anchor=False)
    store = desk.store
    if store.closed():
        st.write("The study is closed. It takes no more answers, and its results can be seen.")
        return
    st.caption("No more answers are taken, from nobody, and results can be seen. It cannot be opened again.")
    with st.form("close", border=False):
        typed = st.text_input(f"Type {store.slug} to close it", key="close_name", autocomplete="off")
        asked = st.form_submit_button("Close for good", icon=":material/lock:")
    if not asked:
        return
    if typed.strip() != store.slug:
        st.error(f"This is not {store.slug}. Nothing was changed.")
        return
    store.close(who=who)
    st.rerun()
