"""A process that rates as fast as it can from several threads, and says what it sends and what was acknowledged.

    python -m tests.app.app_writer URL SLUG ANNOTATOR_ID...

One line each: `send ANNOTATOR ASSIGNMENT UUID` before, `ack ...` after. It is made to be killed.
"""

import os
import sys
import threading
import uuid

from human_eval_app.database import Database
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Store
from tests.app.app_study import PEPPER


def say(*words: object) -> None:
    # one write each: lines of two threads do not mix, and nothing waits in a buffer when the process dies
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def rate(store: Store, annotator_id: int) -> None:
    while isinstance(pair := next_pair(store, annotator_id), Handed):
        sent = str(uuid.uuid4())
        say("send", annotator_id, pair.id, sent)
        store.submit(annotator_id, pair.id, client_uuid=sent, answers={"PS": "left", "AM": "same", "OL": "right"})
        say("ack", annotator_id, pair.id, sent)


if __name__ == "__main__":
    url, slug, *ids = sys.argv[1:]
    opened = Store(Database(url), slug, pepper=PEPPER)
    for annotator_id in map(int, ids):
        threading.Thread(target=rate, args=(opened, annotator_id)).start()
