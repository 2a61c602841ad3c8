// Example questions, which the service has found the collection to answer.

import { examples } from "./api.js";
import { element } from "./dom.js";

/** Offers them as buttons in `place`; the service may take a while to find them. */
export async function offerExamples({ place, ask, signal }) {
	const { questions } = await examples({ signal });
	if (questions.length === 0) return;
	const buttons = questions.map((question) => {
		const attributes = { type: "button", dir: "auto", onclick: () => ask(question) };
		return element("li", {}, element("button", attributes, question));
	});
	place.append(element("ul", { class: "examples", "aria-label": "Example questions" }, ...buttons));
}
