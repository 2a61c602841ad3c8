// What the collection holds: the number in the header, the first titles before the first question.

import { citationButton } from "./answers.js";
import { documents } from "./api.js";
import { alertLine, element } from "./dom.js";
import { counted } from "./wording.js";

const SHOWN = 6;
const RETRY_MS = 2000;

function titles(list, { openSource }) {
  const items = list.documents.map((document) => {
    const whole = { document, quote: null, page: null, section: [], published: document.published };
    return element("li", {}, citationButton(whole, { openSource }));
  });
  const more = list.total - list.documents.length;
  const rest = more > 0 ? [element("li", { class: "looked" }, `and ${counted(more, "other")}`)] : [];
  return [
    element("h2", {}, "In this collection"),
    element("ul", { class: "citations" }, ...items, ...rest),
  ];
}

function howToAdd({ again }) {
  return [
    element("h2", {}, "There are no documents yet"),
    element(
      "p",
      {},
      "Add files or whole folders from the command line, then ",
      element("button", { type: "button", class: "plain", onclick: again }, "look again"),
      ".",
    ),
    element("p", {}, element("code", {}, "rag ingest ~/Documents")),
    element("p", { class: "looked" }, "Text, Markdown, HTML, PDF and Word files are read."),
  ];
}

/** Shows the collection; as long as the service says that it is not ready, asks again by itself. */
export async function showCollection({ count, place, openSource }) {
  const again = () => showCollection({ count, place, openSource });
  try {
    const list = await documents({ limit: SHOWN });
    count.textContent = counted(list.total, "document");
    place.replaceChildren(...(list.total === 0 ? howToAdd({ again }) : titles(list, { openSource })));
  } catch (error) {
    count.textContent = "";
    if (error.status === 503) {
      place.replaceChildren(element("p", { class: "line waiting" }, error.message));
      setTimeout(again, RETRY_MS);
    } else {
      place.replaceChildren(alertLine(error.message, { again }));
    }
  }
}
