// Tells the browser which page this is and in which language, and lets a new page begin at its top: Streamlit changes
// the content of one document, so neither the scroll position nor a screen reader would notice.
const SETTLED = 200; // milliseconds
let last = null;

export default ({ data }) => {
  const root = document.documentElement;
  root.lang = data.lang;
  root.dataset.state = data.state;
  root.dataset.page = data.page;
  document.title = data.title;
  const now = `${data.state} ${data.page}`;
  if (last !== null && last !== now) {
    document.querySelector(".stMain")?.scrollTo(0, 0);
    // the rest of the page arrives after this component
    if (data.state !== "rating") setTimeout(focusHeading, SETTLED, document.activeElement);
  }
  last = now;
};

function focusHeading(before) {
  // whoever has pressed Tab meanwhile stays where that led
  if (![before, document.body].includes(document.activeElement)) return;
  const heading = document.querySelector(".stMain h1");
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
