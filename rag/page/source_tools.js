// What can be done with a place: copy it with its reference, have it checked, choose another.

import { verify } from "./api.js";
import { element, plainButton } from "./dom.js";
import { hashOf } from "./source_place.js";
import { codePoints } from "./text.js";
import { date, whereabouts } from "./wording.js";

const linkTo = (place) => new URL(hashOf(place), location.href).href;
const joined = (...facts) => facts.filter(Boolean).join(", ");
const facts = (place) => joined(whereabouts(place), place.published && date(place.published));
const escaped = (text, letters) => String(text).replace(letters, "\\$&");

function asText(place) {
	const { title, uri } = place.document;
	return `“${place.quote}”\n— ${joined(title, facts(place), uri)}\n${linkTo(place)}\n`;
}

function asMarkdown(place) {
	const title = escaped(place.document.title, /[\\[\]*_`<>]/g);
	const quote = place.quote.replace(/^/gm, "> ");
	return `${quote}\n>\n> — ${joined(`[${title}](${linkTo(place)})`, facts(place))}\n`;
}

function asBibTex(place) {
	const { id, title, uri, version } = place.document;
	const note = `characters ${place.start}--${place.end}, version ${version}`;
	const { published: date, page: pages, quote } = place;
	const fields = { title, date, howpublished: uri, url: linkTo(place), pages, note, quote };
	const lines = Object.entries(fields)
		.filter(([, value]) => value !== null)
		.map(([name, value]) => `  ${name} = {${escaped(value, /[\\{}]/g)}}`);
	return `@misc{${id}-${place.start},\n${lines.join(",\n")}\n}\n`;
}

async function copy(text, { beside }) {
	if (navigator.clipboard) return navigator.clipboard.writeText(text);
	const field = element("textarea", {}, text); // over plain HTTP there is only the old way
	beside.after(field);
	field.select();
	document.execCommand("copy");
	field.remove();
	beside.focus();
}

/** Buttons that copy the place as what they are named after. */
export function copyButtons(place) {
	const said = element("span", { role: "status" });
	const ways = { Text: asText, Markdown: asMarkdown, BibTeX: asBibTex, Link: linkTo };
	const tell = (text) => (said.textContent = text);
	const buttons = Object.entries(ways).map(([name, write]) =>
		plainButton(name, ({ currentTarget: beside }) =>
			copy(write(place), { beside }).then(
				() => tell(`${name} copied`),
				({ message }) => tell(`Not copied: ${message}`),
			),
		),
	);
	const named = { class: "copy", role: "group", "aria-label": "Copy the quote with its reference" };
	return element("span", named, "Copy", ...buttons, said);
}

/** A line that tells what has become of the quote, with a button where it stands elsewhere. */
export function changed(what, go = null) {
	const button = go && plainButton("Show it where it stands now", go);
	const said = `The document has changed since it was cited${what} `;
	return element("p", { class: "line alert", role: "alert" }, said, button);
}

/** Has the service check a place; tells it in `mark`, and in `notice` where it stands elsewhere. */
export async function check(place, { mark, notice, open, signal }) {
	const result = await verify(place, { signal }).catch(({ message }) => ({ status: "unknown", message }));
	if (signal.aborted) return;
	const { status, message, version, start, end } = result;
	const verdict = status === "valid" ? "Verified" : `Not verified: ${message}`;
	const how = version ? ` Compared letter by letter with the stored text, version ${version}.` : "";
	const summary = element("summary", { class: `verified ${status}`, title: message }, verdict);
	mark.replaceChildren(element("details", {}, summary, element("p", {}, message + how)));
	if (status !== "superseded") return;
	const { quote, before, after, collection, document } = place;
	const now = { quote, before, after, collection, start, end, document: { ...document, version } };
	let line = changed(": the quote stands elsewhere now.", () => open(now));
	if (start === null) line = changed(": the present version holds no such quote.");
	if (start === place.start) line = changed(", but the quote still stands at its place.");
	notice.replaceChildren(line);
}

/** UTF-16 range of what is selected in `scroller`, without white space around it, or null. */
function selected(scroller, text) {
	const selection = getSelection();
	const range = selection.rangeCount ? selection.getRangeAt(0) : null;
	if (!scroller.contains(range?.commonAncestorContainer)) return null;
	const ahead = new Range();
	ahead.setStart(scroller, 0);
	ahead.setEnd(range.startContainer, range.startOffset);
	let start = ahead.toString().length;
	const raw = text.substr(start, range.toString().length);
	start += raw.length - raw.trimStart().length;
	return raw.trim() && [start, start + raw.trim().length];
}

/** Asks to select the answer; once it is pressed calls `done` and dispatches `span-chosen`. */
export function choosing({ document: { id, title, version }, text }, { scroller, signal, done }) {
	// Editable, for a caret that the keyboard moves and selects with, but nothing can be edited.
	Object.assign(scroller, { contentEditable: "true", inputMode: "none", spellcheck: false });
	Object.assign(scroller, { role: "textbox", ariaReadOnly: "true", ariaMultiLine: "true" });
	getSelection().collapse(scroller.querySelector("mark") ?? scroller, 0);
	scroller.addEventListener("beforeinput", (event) => event.preventDefault());
	function onclick() {
		const range = selected(scroller, text);
		const quote = text.slice(...range);
		const start = codePoints(text.slice(0, range[0]));
		const detail = { document: { id, title, version }, start, end: start + codePoints(quote), quote };
		done();
		document.dispatchEvent(new CustomEvent("span-chosen", { detail }));
	}
	const button = element("button", { type: "button", class: "choose", onclick }, "This is the answer");
	button.addEventListener("mousedown", (event) => event.preventDefault()); // it keeps the selection
	const look = () => (button.disabled = !selected(scroller, text));
	document.addEventListener("selectionchange", look, { signal });
	look();
	return element("p", { class: "choosing" }, "Select the right answer in the text. ", button);
}
