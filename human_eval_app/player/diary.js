// What happened while a pair was open, for the researchers: sent in batches, and dropped where it cannot be sent.

const BATCH = 50;
const SECONDS = 5;

/** Return {note(kind, value), close()} for the events of `assignment`; times are milliseconds since the pair appeared. */
export function createDiary(assignment) {
  const began = performance.now();
  let events = [];

  function flush(leaving = false) {
    while (events.length) {
      const body = JSON.stringify({ assignment, events: events.splice(0, BATCH) });
      // a beacon outlives the page
      if (leaving) navigator.sendBeacon("/api/events", new Blob([body], { type: "application/json" }));
      else {
        const headers = { "Content-Type": "application/json" };
        fetch("/api/events", { method: "POST", headers, body, credentials: "same-origin" }).catch(() => {});
      }
    }
  }

  const leave = () => flush(true);
  const timer = setInterval(flush, SECONDS * 1000);
  addEventListener("pagehide", leave);
  return {
    note(kind, value = null) {
      events.push({ t: Math.round(performance.now() - began), kind, value });
      if (events.length >= BATCH) flush();
    },
    close() {
      clearInterval(timer);
      removeEventListener("pagehide", leave);
      flush();
    },
  };
}
