// The documents: adding and finding them, choosing which are asked, opening and deleting them.

import { collection, documents } from "./api.js";
import { askToDelete, deletionLine } from "./deletion.js";
import { alertLine, element, plainButton as button } from "./dom.js";
import { choose, chosenDocuments } from "./filters.js";
import { upload } from "./upload.js";
import { counted, date } from "./wording.js";

const PAGE = 50; // documents
const TYPING_MS = 150;

/** Makes the panel of the documents: `open()` shows it, `add(files)` takes files in too. */
export function documentsPanel({ dialog, opener, openSource }) {
	let [listed, offset, request] = [{ total: 0, documents: [] }, 0, null];

	const files = element("input", { type: "file", multiple: true, hidden: true, onchange: take });
	const uploads = element("ul", { class: "uploads", "aria-label": "Files on their way" });
	const named = { type: "search", "aria-label": "Search by title or address", placeholder: "Search" };
	const field = element("input", { ...named, oninput: typed });
	const count = element("span", { role: "status" });
	const list = element("ul", { class: "list", "aria-label": "Documents" });
	const [back, on] = [button("Previous", () => turn(-PAGE)), button("Next", () => turn(PAGE))];
	const close = { class: "close", "aria-label": "Close the documents", title: "Close (Escape)" };
	const hint = element("small", {}, "or drop them anywhere on the page");
	dialog.append(
		element("h2", { id: "documents-title" }, "Documents"),
		button("", () => dialog.close(), close),
		element("p", {}, button("Add files", () => files.click(), { class: "choose" }), files, " ", hint),
		uploads,
		field,
		element("p", { class: "facts" }, "Tick documents to ask only them."),
		list,
		element("p", { class: "facts" }, count, back, on),
	);

	function row(each) {
		const gone = deletionLine(each);
		if (gone) return element("li", { "data-id": each.id }, gone);
		const { id, title, published, characters, uri } = each;
		const show = () => {
			dialog.close();
			openSource({ document: each, quote: null }, opener);
		};
		const ask = () => askToDelete(each, { collection: collection(), changed: render });
		const asked = { type: "checkbox", "aria-label": `Ask only “${title}”` };
		const check = element("input", { ...asked, onchange: () => choose(each, check.checked) });
		check.checked = chosenDocuments().includes(id);
		const day = published && element("time", { datetime: published }, date(published));
		const size = element("span", {}, counted(characters, "character"));
		return element(
			"li",
			{ "data-id": id },
			check,
			button(title, show, { dir: "auto" }),
			button("Delete", ask, { "aria-label": `Delete “${title}”` }),
			element("p", { class: "facts" }, day, size, element("span", {}, uri)),
		);
	}

	function render(focused) {
		const { total, documents: found } = listed;
		list.replaceChildren(...found.map(row));
		const range = total > PAGE ? `${offset + 1} to ${offset + found.length} of ` : "";
		count.textContent = range + counted(total, "document");
		back.hidden = offset === 0;
		on.hidden = offset + found.length >= total;
		if (focused) list.querySelector(`[data-id="${focused}"] button`)?.focus();
	}

	async function refresh() {
		request?.abort();
		const { signal } = (request = new AbortController());
		try {
			listed = await documents({ limit: PAGE, offset, search: field.value.trim(), signal });
			if (offset > 0 && offset >= listed.total) return turn(-PAGE);
			render();
		} catch (error) {
			if (signal.aborted) return;
			list.replaceChildren(element("li", {}, alertLine(error.message, { again: refresh })));
		}
	}

	function turn(by) {
		offset = Math.max(0, offset + by);
		list.scrollTop = 0;
		return refresh();
	}

	let timer;
	function typed() {
		clearTimeout(timer);
		offset = 0;
		timer = setTimeout(refresh, TYPING_MS);
	}

	function open() {
		if (dialog.open) return;
		if (!uploads.querySelector("progress")) uploads.replaceChildren(); // all was seen
		dialog.showModal();
		refresh();
	}

	function add(taken) {
		open();
		upload(taken, { list: uploads });
	}

	function take() {
		add([...files.files]);
		files.value = "";
	}

	for (const name of ["documents-changed", "collection-changed", "key-changed"]) {
		document.addEventListener(name, () => {
			if (name === "collection-changed") [offset, field.value] = [0, ""];
			if (dialog.open) refresh();
		});
	}
	return { open, add };
}
