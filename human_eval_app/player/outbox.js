// What must not be lost waits in the browser's own storage until the server says that it has it.
//
// Everything is kept under the owner (a word that stands for the annotator): whoever logs in next at this computer
// neither sees nor sends what belongs to somebody else.

const WAITS = [1, 2, 4, 8, 15]; // seconds between attempts; the last one repeats
const RETRY = new Set([408, 425, 429]);

/** Drafts and letters of one owner. Where the browser refuses storage they live as long as the page does. */
export class Drawer {
  constructor(owner) {
    this.owner = owner;
    this.memory = new Map();
  }

  read(name) {
    const key = this.key(name);
    try {
      return JSON.parse(localStorage.getItem(key) ?? this.memory.get(key) ?? "null");
    } catch {
      return JSON.parse(this.memory.get(key) ?? "null");
    }
  }

  write(name, value) {
    const key = this.key(name);
    const text = JSON.stringify(value);
    this.memory.set(key, text);
    try {
      localStorage.setItem(key, text);
    } catch {
      // full or forbidden: the memory has it
    }
  }

  remove(name) {
    this.memory.delete(this.key(name));
    try {
      localStorage.removeItem(this.key(name));
    } catch {
      // forbidden: it was never there
    }
  }

  names(prefix) {
    const start = this.key(prefix);
    const keys = new Set(this.memory.keys());
    try {
      for (let i = 0; i < localStorage.length; i++) keys.add(localStorage.key(i));
    } catch {
      // forbidden: the memory is all there is
    }
    return [...keys].filter((key) => key.startsWith(start)).map((key) => key.slice(this.key("").length));
  }

  key(name) {
    return `univg/${this.owner}/${name}`;
  }
}

/** Letters to the server, one per submission, sent again until it answers. */
export class Outbox {
  constructor(drawer) {
    this.drawer = drawer;
    this.sending = new Map();
  }

  /** Return the letter about `assignment` that still waits, if there is one. */
  waiting(assignment) {
    return this.letters().find((letter) => letter.body.assignment === assignment) ?? null;
  }

  letters() {
    return this.drawer.names("outbox/").map((name) => this.drawer.read(name)).filter((letter) => letter?.body);
  }

  /**
   * Keep {url, body} and send it until it is answered.
   * Resolves to {ok: true} or {ok: false, reason, message} when the server will never take it; `ontrouble(kind)` hears
   * of every attempt that failed for now: "offline", "busy" or "login".
   */
  send(letter, { signal, ontrouble = () => {} } = {}) {
    const id = letter.body.client_uuid;
    this.drawer.write(`outbox/${id}`, letter);
    if (!this.sending.has(id)) {
      this.sending.set(id, this.deliver(letter, signal, ontrouble).finally(() => this.sending.delete(id)));
    }
    return this.sending.get(id);
  }

  /** Send what an earlier visit left behind, except what is about `assignment`, which the screen itself sends. */
  sendOthers(assignment, signal) {
    for (const letter of this.letters()) {
      if (letter.body.assignment !== assignment) this.send(letter, { signal }).catch(() => {});
    }
  }

  async deliver(letter, signal, ontrouble) {
    for (let attempt = 0; ; attempt++) {
      const outcome = await post(letter, signal);
      if (outcome.final) {
        this.drawer.remove(`outbox/${letter.body.client_uuid}`);
        return outcome;
      }
      ontrouble(outcome.trouble);
      await pause(WAITS[Math.min(attempt, WAITS.length - 1)], signal);
    }
  }
}

async function post({ url, body }, signal) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
      signal: AbortSignal.any([signal ?? new AbortController().signal, AbortSignal.timeout(20_000)]),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    return { final: false, trouble: "offline" };
  }
  const said = await response.json().catch(() => ({}));
  if (response.ok) return { final: true, ok: true };
  if (response.status === 401) return { final: false, trouble: "login" };
  // a proxy in between knows nothing of `final`; then the status decides
  const final = said.final ?? (response.status < 500 && !RETRY.has(response.status));
  if (!final) return { final: false, trouble: "busy" };
  return { final: true, ok: false, reason: said.reason ?? "", message: said.message ?? "" };
}

/** Wait, but not longer than until the connection is back. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", finish);
      signal?.removeEventListener("abort", fail);
    };
    const finish = () => { end(); resolve(); };
    const fail = () => { end(); reject(signal.reason); };
    const timer = setTimeout(finish, seconds * 1000);
    addEventListener("online", finish);
    signal?.addEventListener("abort", fail);
  });
}
