// Tells the browser which page this is and in which language, and lets a new page begin at its top: Streamlit changes
// the content of one document, so neither the scroll position nor a screen reader would notice.
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
    const heading = document.querySelector(".stMain h1");
    if (heading && data.state !== "rating") {
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    }
  }
  last = now;
};
