// Example questions, which the service has found the collection to answer.

import { examples } from "./api.js";
import { element } from "./dom.js";

const HINT = "Ask who, what, when, where, why or how many.";

/** Offers them as buttons in `place`; the service may take a while to find them. */
export async function offerExamples({ place, ask, signal }) {
	const waiting = "Looking for questions that the documents answer";
	place.append(element("p", { class: "line waiting" }, waiting));
	// Only an offer: what fails here fails at the reader's own question too, and is told there.
	const { questions } = await examples({ signal }).catch(() => ({ questions: [] }));
	const buttons = questions.map((question) => {
		const attributes = { type: "button", dir: "auto", onclick: () => ask(question) };
		return element("li", {}, element("button", attributes, question));
	});
	const list = { class: "examples", "aria-label": "Example questions" };
	place.replaceChildren(
		buttons.length > 0 ? element("ul", list, ...buttons) : element("p", { class: "line" }, HINT),
	);
}
