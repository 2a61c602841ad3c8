// The source beside the conversation (over it on a narrow screen), open at the quoted place.

import { documentText, verify } from "./api.js";
import { alertLine, element } from "./dom.js";
import { blocks, cut, decode } from "./text.js";
import { date, whereabouts } from "./wording.js";

const NARROW = window.matchMedia("(max-width: 63.99rem)"); // as in source.css

const block = (...children) => element("div", { class: "block", dir: "auto" }, ...children);

function* textNodes({ before, quote, after }) {
  // The lines that hold the quote's ends stay in one block, so that they are set as one.
  const lineStart = before.lastIndexOf("\n") + 1;
  const lineEnd = after.indexOf("\n") === -1 ? after.length : after.indexOf("\n") + 1;
  for (const piece of blocks(before.slice(0, lineStart))) yield block(piece);
  yield block(before.slice(lineStart), element("mark", {}, quote), after.slice(0, lineEnd));
  for (const piece of blocks(after.slice(lineEnd))) yield block(piece);
}

function reveal(mark, { scroller }) {
  const tall = mark.getBoundingClientRect().height > scroller.clientHeight * 0.8;
  mark.scrollIntoView({ block: tall ? "start" : "center" });
}

async function showText(place, { scroller, signal }) {
  const bytes = await documentText(place.document.id, { signal });
  if (place.quote === null) {
    scroller.replaceChildren(...Array.from(blocks(decode(bytes)), (piece) => block(piece)));
    return;
  }
  const pieces = cut(bytes, place);
  if (pieces.quote !== place.quote) {
    const changed = "The document has changed since it was cited: the quote is not at its place.";
    const text = Array.from(blocks(decode(bytes)), (piece) => block(piece));
    scroller.replaceChildren(element("p", { class: "line alert", role: "alert" }, changed), ...text);
    return;
  }
  scroller.replaceChildren(...textNodes(pieces));
  const mark = scroller.querySelector("mark");
  reveal(mark, { scroller });
  // Blocks that have come into sight have their true height now, so the middle has moved.
  requestAnimationFrame(() => reveal(mark, { scroller }));
}

async function showVerified(place, { mark, signal }) {
  try {
    const { status, message } = await verify(place, { signal });
    mark.className = `verified ${status}`;
    mark.textContent = status === "valid" ? "Verified" : `Not verified: ${message}`;
    mark.title = message;
  } catch (error) {
    if (signal.aborted) return;
    mark.className = "verified unknown";
    mark.textContent = `Not verified: ${error.message}`;
  }
}

/**
 * Returns `open(place, opener)` for the panel. A place without a quote opens the document at its
 * beginning. Closing gives the focus back to the opener, or to `fallback` when that is hidden.
 */
export function sourcePanel({ panel, behind, fallback }) {
  let request = null;
  let opener = null;

  const cover = () => {
    behind.inert = NARROW.matches && !panel.hidden;
    panel.setAttribute("aria-modal", String(NARROW.matches));
  };
  NARROW.addEventListener("change", cover);

  function close() {
    if (panel.hidden) return;
    const focused = document.activeElement;
    const inside = panel.contains(focused) || focused === document.body;
    request.abort();
    panel.hidden = true;
    document.body.classList.remove("with-source");
    opener.removeAttribute("aria-current");
    cover();
    if (inside) {
      opener.focus();
      if (document.activeElement !== opener) fallback.focus(); // what opened it is out of sight
    }
    opener = null;
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) close();
  });

  async function open(place, from) {
    request?.abort();
    request = new AbortController();
    const { signal } = request;
    opener?.removeAttribute("aria-current");
    opener = from;
    opener.setAttribute("aria-current", "true");

    const where = whereabouts(place);
    const mark = element("span", { class: "verified", role: "status" });
    const scroller = element("div", {
      class: "text",
      tabindex: "0",
      role: "region",
      "aria-label": "Text of the document",
    });
    const title = element("h2", { id: "source-title", dir: "auto" }, place.document.title);
    const facts = element(
      "p",
      { class: "facts" },
      where ? element("span", { dir: "auto" }, where) : null,
      place.published ? element("time", { datetime: place.published }, date(place.published)) : null,
      mark,
    );
    const closing = { type: "button", class: "close", "aria-label": "Close the source", onclick: close };
    const button = element("button", { ...closing, title: "Close (Escape)" });
    panel.replaceChildren(element("header", {}, title, button, facts), scroller);
    scroller.append(element("p", { class: "line waiting" }, "Opening the document"));
    panel.hidden = false;
    document.body.classList.add("with-source");
    cover();
    scroller.focus({ preventScroll: true });

    const checked = place.quote === null ? null : showVerified(place, { mark, signal });
    try {
      await showText(place, { scroller, signal });
    } catch (error) {
      if (signal.aborted) return;
      scroller.replaceChildren(alertLine(error.message, { again: () => open(place, from) }));
    }
    await checked;
  }

  return open;
}
