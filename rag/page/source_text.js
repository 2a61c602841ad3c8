// A document's text as nodes. Joined they are the text; what is said beside it is in attributes.

import { element } from "./dom.js";
import { indices } from "./text.js";

const BLOCK = 3000; // UTF-16 units; a few screens, so that the browser can leave out what is unseen
const LONGEST = 30_000; // a longer line is cut between words

const starts = (text, parts) => indices(text, parts.map(({ start }) => start));
const lineEnd = (text, at) => text.indexOf("\n", at) + 1 || text.length;
const meet = ([start, end], [from, to]) => start < to && from < end;

function headingsOf(text, sections) {
	const from = starts(text, sections);
	return sections.flatMap(({ path }, number) => {
		const start = from[number];
		let end = lineEnd(text, start);
		// An extracted heading may go over several lines.
		while (end < text.length && end - start < path.at(-1)?.length) end = lineEnd(text, end);
		return path.length ? [{ range: [start, end], name: `h${Math.min(path.length + 2, 6)}` }] : [];
	});
}

/** UTF-16 ranges of a quote and its sentence; null where the quote is not at its place. */
export function locate(text, { start, end, quote, before = "", after = "" }) {
	const [from, to] = indices(text, [start, end]);
	if (!quote || text.slice(from, to) !== quote) return null;
	const head = text.slice(0, from).endsWith(before) ? before.length : 0;
	const tail = text.startsWith(after, to) ? after.length : 0;
	return { quote: [from, to], sentence: [from - head, to + tail] };
}

function endOfBlock(text, start, found) {
	let end = lineEnd(text, start + BLOCK);
	// A sentence is set as one.
	if (found && meet(found.sentence, [start, end])) end = Math.max(end, lineEnd(text, found.sentence[1]));
	const space = text.lastIndexOf(" ", start + LONGEST) + 1;
	return end - start > LONGEST && space > start ? space : end;
}

function fill(block, text, [from, to], { headings, found }) {
	const ranges = headings.map(({ range }) => range);
	if (found) ranges.push(found.sentence, found.quote);
	const inside = ranges.flat().filter((at) => from < at && at < to);
	const points = [...new Set([from, ...inside, to])].sort((a, b) => a - b);
	let heading;
	let home = block;
	for (let number = 1; number < points.length; number += 1) {
		const part = [points[number - 1], points[number]];
		const over = headings.find(({ range }) => meet(range, part));
		if (over !== heading) {
			heading = over;
			home = over ? element(over.name) : block;
			if (over) block.append(home);
		}
		let piece = text.slice(...part);
		if (found && meet(found.quote, part)) piece = element("mark", {}, piece);
		else if (found && meet(found.sentence, part)) piece = element("span", { class: "sentence" }, piece);
		home.append(piece);
	}
}

/** Blocks of a text, its headings and page breaks made visible; `found` is what `locate` gave. */
export function* textBlocks(text, { sections, pages, found }) {
	const headings = headingsOf(text, sections);
	const breaks = starts(text, pages);
	let [heading, page, start] = [0, 0, 0];
	while (start < text.length) {
		const block = element("div", { class: "block", dir: "auto" });
		for (; breaks[page] === start; page += 1) block.dataset.page = `Page ${pages[page].number}`;
		const end = Math.min(endOfBlock(text, start, found), breaks[page] ?? Infinity);
		const first = heading;
		while (headings[heading]?.range[0] < end) heading += 1;
		fill(block, text, [start, end], { headings: headings.slice(first, heading), found });
		yield block;
		start = end;
	}
}
