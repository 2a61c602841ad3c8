// Building nodes. Strings become text nodes, so no text is ever read as markup.

/** Makes an element: `on...` attributes are listeners; null, undefined and false are left out. */
export function element(name, attributes = {}, ...children) {
	const node = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) {
		if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
		else if (value === true) node.setAttribute(key, "");
		else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
	}
	node.append(...children.filter((child) => child !== null));
	return node;
}

/** A button that looks like a link. */
export const plainButton = (text, onclick, more) =>
	element("button", { type: "button", class: "plain", onclick, ...more }, text);

/** One line that is read out at once, with a button that tries again. */
export function alertLine(message, { again, label = "Try again" }) {
	const button = plainButton(label, again);
	return element("p", { class: "line alert", role: "alert", dir: "auto" }, `${message} `, button);
}
