// What the collection holds: before the first question some examples, and the first titles.

import { citationButton } from "./answers.js";
import { documents } from "./api.js";
import { alertLine, element } from "./dom.js";
import { offerExamples } from "./examples.js";
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
			"Drop files here, or add whole folders from the command line, then ",
			element("button", { type: "button", class: "plain", onclick: again }, "look again"),
			".",
		),
		element("p", {}, element("code", {}, "rag ingest ~/Documents")),
		element("p", { class: "looked" }, "Text, Markdown, HTML, PDF and Word files are read."),
	];
}

/** Shows the collection, and anew when it changes or a key is given; waits for a service not ready. */
export function showCollection({ count, place, openSource, ask }) {
	let request = new AbortController();

	async function show() {
		request.abort();
		request = new AbortController();
		const { signal } = request;
		try {
			const list = await documents({ limit: SHOWN, signal });
			count.textContent = counted(list.total, "document");
			if (list.total === 0) {
				place.replaceChildren(...howToAdd({ again: show }));
				return;
			}
			const examples = element("div");
			place.replaceChildren(examples, ...titles(list, { openSource }));
			// Only an offer: what fails here fails at the reader's own question too, and is told there.
			offerExamples({ place: examples, ask, signal }).catch(() => {});
		} catch (error) {
			if (signal.aborted) return;
			count.textContent = "";
			if (error.status === 503) {
				place.replaceChildren(element("p", { class: "line waiting" }, error.message));
				setTimeout(show, RETRY_MS);
			} else {
				place.replaceChildren(alertLine(error.message, { again: show }));
			}
		}
	}

	for (const name of ["collection-changed", "documents-changed", "key-changed"]) {
		document.addEventListener(name, show);
	}
	show();
}
