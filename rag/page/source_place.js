// Places in documents: their permanent links, and the documents as they are fetched.

import { collection, documentDetail, documentText } from "./api.js";
import { decode, indices } from "./text.js";

const KEPT = 3; // documents
const LONGEST_QUOTE = 300; // with its quote a link can be followed into a later version
const kept = new Map();

/** `#/d/ID/START-END?version=…&quote=…`; without the span for a whole document. */
export function hashOf({ document, start, end, quote, collection: name = collection() }) {
	const query = new URLSearchParams({ collection: name, version: document.version });
	if (name === "default") query.delete("collection");
	if (quote?.length <= LONGEST_QUOTE) query.set("quote", quote);
	const span = quote === null ? "" : `/${start}-${end}`;
	return `#/d/${encodeURIComponent(document.id)}${span}?${query}`;
}

/** The place that a hash stands for, or null; only the opened document tells its title. */
export function placeOf(hash) {
	const parts = hash.match(/^#\/d\/([^/?]+)(?:\/(\d+)-(\d+))?(?:\?(.*))?$/);
	if (!parts) return null;
	const [, id, start, end, rest] = parts;
	const query = new URLSearchParams(rest);
	// Unlike decodeURIComponent this takes what is wrongly encoded too.
	const decoded = new URLSearchParams(`id=${id.replace(/[+&]/g, encodeURIComponent)}`);
	return {
		document: { id: decoded.get("id"), version: query.get("version") },
		collection: query.get("collection") ?? "default",
		start: Number(start),
		end: Number(end),
		quote: start ? (query.get("quote") ?? undefined) : null,
	};
}

/** `{document, sections, pages, text}`, fetched once a version. */
export async function load({ document: { id, version }, collection: name }, { signal }) {
	const key = `${name}/${id}`;
	let loaded = kept.get(key);
	kept.delete(key);
	if (loaded?.document.version !== version) {
		const from = { collection: name, signal };
		const [detail, bytes] = await Promise.all([documentDetail(id, from), documentText(id, from)]);
		loaded = { ...detail, text: decode(bytes) };
	}
	kept.set(key, loaded);
	if (kept.size > KEPT) kept.delete(kept.keys().next().value);
	return loaded;
}

/** The place with what its document tells of it, where the place itself does not. */
export function completed(place, { document, sections, pages, text }) {
	const here = ({ start, end }) => start <= place.start && place.start < end;
	const { version = document.version, title = document.title } = place.document;
	const whole = {
		page: pages.find(here)?.number ?? null,
		section: sections.find(here)?.path ?? [],
		published: document.published,
		...place,
		document: { ...document, version: version ?? document.version, title },
	};
	if (place.quote === undefined && whole.document.version === document.version) {
		whole.quote = text.slice(...indices(text, [place.start, place.end]));
	}
	return whole;
}
