// Parts that not everybody needs are loaded when they are first used.

import { alertLine, element } from "./dom.js";

/** Resolves when style sheets of the page are there. */
export function styles(...names) {
	const loaded = (name) =>
		new Promise((onload, onerror) => {
			const link = { rel: "stylesheet", href: `/page/${name}.css`, onload, onerror };
			document.head.append(element("link", link));
		});
	return Promise.all(names.map(loaded));
}

/** Returns `use(then)`, which gives `then` what `load` resolves to; loaded once, or tried again. */
export function later(load) {
	const trouble = document.getElementById("trouble");
	let part = null;
	return async function use(then) {
		let loaded;
		try {
			loaded = await (part ??= load());
		} catch {
			part = null;
			const message = "A part of the page could not be loaded: is the service running?";
			trouble.replaceChildren(alertLine(message, { again: () => use(then) }));
			return;
		}
		trouble.replaceChildren();
		await then(loaded);
	};
}
