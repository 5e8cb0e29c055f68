// Tells the browser which page this is and in which language, and lets a new page begin at its top: Streamlit changes
// the content of one document, so neither the scroll position nor a screen reader would notice.
const LOOK = 200; // milliseconds between two looks for the heading
const LOOKS = 50;
let looking;
let last = null;

let failed = false;
let begun = null;

export default ({ data }) => {
  // an error may come below a page that had begun, and either of the two may be drawn last
  if (data.state !== "error") {
    begun = data;
    if (!failed) apply(data);
    return undefined;
  }
  failed = true;
  apply(data);
  return () => {
    failed = false;
    if (begun) apply(begun);
  };
};

function apply(data) {
  const root = document.documentElement;
  root.lang = data.lang;
  root.dataset.state = data.state;
  root.dataset.page = data.page;
  document.title = data.title;
  const now = `${data.state} ${data.page}`;
  if (last !== null && last !== now) {
    document.querySelector(".stMain")?.scrollTo(0, 0);
    clearInterval(looking);
    if (data.state !== "rating") focusHeading(document.activeElement);
  }
  last = now;
}

/**
 * Give the focus to the heading once it is there: the rest of the page arrives after this component, and a heading may
 * be replaced by the next one. Whoever has moved on meanwhile, from the element `before` or from the heading, stays there.
 */
function focusHeading(before) {
  let given = null;
  let left = LOOKS;
  looking = setInterval(() => {
    const now = document.activeElement;
    left -= 1;
    if (left < 0 || ![given ?? before, document.body].includes(now)) {
      clearInterval(looking);
      return;
    }
    const heading = document.querySelector(".stMain h1");
    if (!heading || heading === now) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    given = heading;
  }, LOOK);
}
