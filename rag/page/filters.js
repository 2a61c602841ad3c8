// Which documents are asked: the chosen ones, which stand below the field, or all.

import { element } from "./dom.js";

const MOST_COMPARED = 4; // documents
const chosen = new Map();
let wanted = false;

/** Ids of the chosen documents; none means that all are asked. */
export const chosenDocuments = () => [...chosen.keys()];

const comparable = () => chosen.size > 1 && chosen.size <= MOST_COMPARED;

/** Whether each of the chosen ones is to be asked on its own. */
export const comparing = () => wanted && comparable();

function comparison() {
	const box = element("input", { type: "checkbox", onchange: () => (wanted = box.checked) });
	box.checked = wanted;
	return element("li", {}, element("label", {}, box, "Compare them"));
}

function show() {
	const chips = Array.from(chosen.values(), (each) => {
		const onclick = () => {
			choose(each, false);
			document.getElementById("question").focus();
		};
		const named = { type: "button", onclick, "aria-label": `Ask not only “${each.title}”` };
		return element("li", {}, element("button", named, element("span", { dir: "auto" }, each.title)));
	});
	if (comparable()) chips.push(comparison());
	document.getElementById("chosen").replaceChildren(...chips);
}

/** Adds a document to those that are asked, or takes it away. */
export function choose(each, asked) {
	if (asked) chosen.set(each.id, each);
	else chosen.delete(each.id);
	show();
}

document.addEventListener("collection-changed", () => {
	chosen.clear();
	show();
});
