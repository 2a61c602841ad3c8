// The ways to the documents: a button, files dropped on the page, the list of collections.

import { collection, json, request, setCollection } from "./api.js";
import { element } from "./dom.js";
import { later, styles } from "./later.js";

/** Fills the list of collections, which is hidden where there is but one. */
async function showCollections(select) {
	const list = await request("/v1/collections", { read: json }).catch(() => null);
	const names = list?.collections.map(({ name }) => name) ?? []; // why it failed others tell
	select.replaceChildren(...names.map((name) => element("option", {}, name)));
	select.hidden = names.length < 2;
	if (names.length > 0 && !names.includes(collection())) setCollection(names[0]);
	select.value = collection();
}

/** Opens the panel of the documents in `dialog`, whose parts are loaded at its first use. */
export function documentsEntrance({ dialog, opener, select, openSource }) {
	const panel = later(async () => {
		const css = styles("panel", "documents");
		const [{ documentsPanel }] = await Promise.all([import("./documents.js"), css]);
		return documentsPanel({ dialog, opener, openSource });
	});
	opener.addEventListener("click", () => panel(({ open }) => open()));

	const dropping = (now) => document.body.classList.toggle("dropping", now);
	for (const name of ["dragover", "drop"]) {
		document.addEventListener(name, (event) => {
			const { types, files } = event.dataTransfer;
			dropping(name === "dragover" && types.includes("Files"));
			if (!types.includes("Files")) return;
			event.preventDefault();
			const dropped = [...files]; // which are gone when the event is over
			panel(({ add }) => name === "drop" && add(dropped));
		});
	}
	document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget ?? dropping(false));

	select.addEventListener("change", () => setCollection(select.value));
	document.addEventListener("key-changed", () => showCollections(select));
	showCollections(select);
}
