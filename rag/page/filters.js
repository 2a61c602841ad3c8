// Which documents are asked: the chosen ones, which stand below the field, or all.

import { element } from "./dom.js";

const chosen = new Map();

/** Ids of the chosen documents; none means that all are asked. */
export const chosenDocuments = () => [...chosen.keys()];

function show() {
	const chips = Array.from(chosen.values(), (each) => {
		const onclick = () => {
			choose(each, false);
			document.getElementById("question").focus();
		};
		const named = { type: "button", onclick, "aria-label": `Ask not only “${each.title}”` };
		return element("li", {}, element("button", named, element("span", { dir: "auto" }, each.title)));
	});
	document.getElementById("chosen").replaceChildren(...chips);
}

/** Adds a document to those that are asked, or takes it away. */
export function choose(each, wanted) {
	if (wanted) chosen.set(each.id, each);
	else chosen.delete(each.id);
	show();
}

document.addEventListener("collection-changed", () => {
	chosen.clear();
	show();
});
