// Deleting with time to think again: what the service deletes is gone, so it is told only then.

import { deleteDocument } from "./api.js";
import { element, plainButton } from "./dom.js";

const SECONDS = 8;
const states = new Map();

/** Asks whether to delete; `changed` is called whenever the document's line is another. */
export function askToDelete(each, { collection, changed }) {
	const put = (text, buttons, more) => {
		states.set(each.id, { text, buttons, ...more });
		changed(each.id);
	};
	const keep = () => {
		clearTimeout(states.get(each.id).timer);
		states.delete(each.id);
		changed(each.id);
	};
	async function send() {
		clearTimeout(states.get(each.id).timer);
		put("Deleting");
		try {
			await deleteDocument(each.id, { collection });
		} catch ({ message, status }) {
			if (status !== 404) return put(message, { "Try again": send, Keep: keep });
		}
		states.delete(each.id);
		document.dispatchEvent(new CustomEvent("documents-changed"));
	}
	const later = () => {
		const text = `“${each.title}” will be deleted in ${SECONDS} seconds, or when this page is left.`;
		put(text, { Undo: keep }, { timer: setTimeout(send, SECONDS * 1000), send });
	};
	put(`Delete “${each.title}”? No answer will cite it any more.`, { Keep: keep, Delete: later });
}

/** What stands in the place of a document that is being deleted, or null. */
export function deletionLine({ id }) {
	const state = states.get(id);
	if (!state) return null;
	const buttons = Object.entries(state.buttons ?? {}).map((each) => plainButton(...each));
	return element("p", { class: "line alert", role: "alert", dir: "auto" }, `${state.text} `, ...buttons);
}

addEventListener("pagehide", () => states.forEach(({ send }) => send?.()));
