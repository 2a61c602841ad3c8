// The source beside the conversation (over it on a narrow screen), open at the quoted place.

import { collection } from "./api.js";
import { alertLine, element, plainButton } from "./dom.js";
import { completed, hashOf, load, placeOf } from "./source_place.js";
import { locate, textBlocks } from "./source_text.js";
import { changed, check, choosing, copyButtons } from "./source_tools.js";
import { date, whereabouts } from "./wording.js";

const NARROW = window.matchMedia("(max-width: 63.99rem)"); // as in source.css
const STEPS = { p: [-1, "Previous citation", "‹"], n: [1, "Next citation", "›"] };

function reveal(mark, { scroller }) {
	const tall = mark.getBoundingClientRect().height > scroller.clientHeight * 0.8;
	mark.scrollIntoView({ block: tall ? "start" : "center" });
}

function header(place, { mark, close }) {
	const { published, document } = place;
	const where = whereabouts({ page: null, section: [], ...place });
	const day = published ? element("time", { datetime: published }, date(published)) : "";
	const title = element("h2", { id: "source-title", dir: "auto" }, document.title ?? "");
	const facts = element("div", { class: "facts" }, element("span", { dir: "auto" }, where), day, mark);
	return element("div", { class: "head" }, title, facts, close);
}

/**
 * Returns `open(place, opener, {choosing})` for the panel. A place without a quote opens the document
 * at its beginning. Closing gives the focus back to the opener, or to `fallback` when that is hidden.
 */
export function sourcePanel({ panel, behind, fallback }) {
	let request = null;
	let opener = null;

	const cover = () => {
		behind.inert = NARROW.matches && !panel.hidden;
		panel.setAttribute("aria-modal", String(NARROW.matches));
	};
	NARROW.addEventListener("change", cover);

	function hide() {
		if (panel.hidden) return;
		const focused = document.activeElement;
		const inside = panel.contains(focused) || focused === document.body;
		request.abort();
		panel.hidden = true;
		document.body.classList.remove("with-source");
		opener.removeAttribute("aria-current");
		cover();
		if (inside) {
			opener.focus();
			if (document.activeElement !== opener) fallback.focus(); // what opened it is out of sight
		}
		opener = null;
	}

	function close() {
		if (history.state?.source) return history.back(); // which hides it
		if (placeOf(location.hash)) history.replaceState(null, "", location.pathname);
		hide();
	}

	/** The citations of the turn and which of them is open, -1 where none is. */
	function turn() {
		const all = [...(opener.closest(".turn")?.querySelectorAll(".citation") ?? [])];
		return [all, all.indexOf(opener)];
	}

	function go(by) {
		const [all, at] = turn();
		if (at >= 0) all.at((at + by) % all.length).click();
	}

	function steps() {
		const [all, at] = turn();
		if (all.length < 2 || at < 0) return null;
		const [back, on] = Object.entries(STEPS).map(([key, [by, label, sign]]) => {
			const named = { class: "step", "aria-label": label, title: `${label} (${key})` };
			return plainButton(sign, () => go(by), { ...named, "aria-keyshortcuts": key });
		});
		return element("span", { class: "steps" }, back, `${at + 1} of ${all.length}`, on);
	}

	document.addEventListener("keydown", (event) => {
		if (panel.hidden || event.isComposing || document.querySelector("dialog[open]")) return;
		if (event.key === "Escape") close();
		if (event.ctrlKey || event.metaKey || event.altKey || !panel.contains(event.target)) return;
		if (event.key in STEPS) go(STEPS[event.key][0]);
	});

	async function show(given, from, { choosing: invited = false } = {}) {
		const pressed = panel.contains(document.activeElement) && document.activeElement.title;
		request?.abort();
		request = new AbortController();
		const { signal } = request;
		opener?.removeAttribute("aria-current");
		opener = from;
		opener.setAttribute("aria-current", "true");
		let place = { ...given, collection: given.collection ?? collection() };

		const mark = element("div", { role: "status" });
		const notice = element("div", { class: "notice" });
		const scroller = element(
			"div",
			{ class: "text", tabindex: "0", role: "region", "aria-label": "Text of the document" },
			element("p", { class: "line waiting" }, "Opening the document"),
		);
		const closing = { class: "close", "aria-label": "Close the source", title: "Close (Escape)" };
		const button = plainButton("", close, closing);
		const tools = element("div", { class: "tools" }, steps());
		panel.replaceChildren(header(place, { mark, close: button }), notice, scroller, tools);
		panel.hidden = false;
		document.body.classList.add("with-source");
		cover();
		const again = [...tools.querySelectorAll("button")].find(({ title }) => title === pressed);
		(again ?? scroller).focus({ preventScroll: true });

		const checking = { mark, notice, signal, open: (now) => open(now, from) };
		const checked = place.quote && check(place, checking);
		try {
			const loaded = await load(place, { signal });
			place = completed(place, loaded);
			panel.firstChild.replaceWith(header(place, { mark, close: button }));
			const found = locate(loaded.text, place);
			scroller.replaceChildren(...textBlocks(loaded.text, { ...loaded, found }));
			if (found) {
				const quote = scroller.querySelector("mark");
				reveal(quote, { scroller });
				// Blocks that have come into sight have their true height now, so the middle has moved.
				requestAnimationFrame(() => reveal(quote, { scroller }));
				tools.append(copyButtons(place));
			} else if (place.quote !== null && !notice.hasChildNodes()) {
				notice.append(changed(": the quote is not at its place."));
			}
			if (invited) notice.append(choosing(loaded, { scroller, signal, done: close }));
			await (checked || (place.quote && check(place, checking)));
		} catch (error) {
			if (signal.aborted) return;
			scroller.replaceChildren(alertLine(error.message, { again: () => show(given, from) }));
		}
	}

	function open(place, from, options) {
		const change = history.state?.source ? "replaceState" : "pushState";
		history[change]({ source: true }, "", hashOf(place));
		return show(place, from, options);
	}

	function follow() {
		const place = placeOf(location.hash);
		if (place) show(place, opener ?? fallback);
		else hide();
	}
	history.scrollRestoration = "manual"; // what is behind the panel is still where it was
	addEventListener("popstate", follow);
	follow();
	return open;
}
