// The key that a protected service asks for: kept for this tab only.

import { element } from "./dom.js";

const KEPT = "key";

/** Returns a function that asks for a key; `forget` is the button for who has one. */
export function keyDialog({ forget }) {
	const why = element("p", { id: "key-why" });
	const field = element("input", {
		id: "key",
		type: "password",
		autocomplete: "off",
		required: true,
		pattern: "\\s*[\\x21-\\x7e]+\\s*",
		title: "The key, without spaces",
		"aria-describedby": "key-why",
	});
	const form = element(
		"form",
		{ onsubmit },
		element("h2", { id: "key-title" }, "A key is needed"),
		why,
		element("label", { for: "key" }, "Key"),
		field,
		element("button", { class: "choose" }, "Use this key"),
		element("button", { type: "button", class: "plain", onclick: () => dialog.close() }, "Not now"),
	);
	const dialog = element("dialog", { "aria-labelledby": "key-title" }, form);
	document.body.append(dialog);

	function onsubmit(event) {
		event.preventDefault();
		sessionStorage.setItem(KEPT, field.value.trim());
		field.value = "";
		forget.hidden = false;
		dialog.close();
		document.dispatchEvent(new Event("key-changed"));
	}

	return () => {
		if (dialog.open) return; // several requests were refused for one reason
		why.textContent = sessionStorage.getItem(KEPT)
			? "The service refused the key: it is wrong, or was taken back."
			: "This service answers only those who show a key. Who runs it can give you one.";
		sessionStorage.removeItem(KEPT);
		forget.hidden = true;
		dialog.showModal();
	};
}
