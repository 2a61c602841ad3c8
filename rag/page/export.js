// The conversation as a file: Markdown with numbered citations, or JSON.

import { element } from "./dom.js";
import { hashOf } from "./source_place.js";
import { emphasise } from "./text.js";
import { confidence, date, whereabouts } from "./wording.js";

/** Text that Markdown shows as it is, on one line; `line` is for where a line begins. */
const plain = (text) => text.replace(/\s+/g, " ").replace(/[\\`*_[\]<>#|~&]/g, "\\$&");
const line = (text) => plain(text).replace(/^( ?\d*)([-+=.)])/, "$1\\$2");

function source(place) {
	const { title, uri } = place.document;
	const facts = [title, whereabouts(place), place.published && date(place.published)];
	const link = new URL(hashOf(place), location.href);
	return `${line(facts.filter(Boolean).join(", "))}. “${plain(place.quote)}” <${uri}>, [place](${link})`;
}

/** All turns in Markdown; each place has one number throughout. */
export function markdown(turns) {
	const sources = [];
	const cite = (place) => {
		const reference = source(place);
		if (!sources.includes(reference)) sources.push(reference);
		return `[${sources.indexOf(reference) + 1}]`;
	};
	const answered = ({ sentence, citations, ...answer }) => {
		const { before, quote, after } = emphasise(sentence, citations[0]);
		const { words, percent } = confidence(answer.confidence);
		const [, head, core, tail] = quote.match(/^(\s*)([^]*?)(\s*)$/);
		const said = `${line(before + head)}**${plain(core)}**${plain(tail + after)}`;
		return [`> ${said}`, `${words} (${percent}). ${citations.map(cite).join(" ")}`];
	};
	const parts = turns.flatMap(({ question, response }) => {
		const heading = `## ${line(question)}`;
		if (response === null) return [heading, "Not answered."];
		if (response.abstention) return [heading, line(response.abstention.message)];
		return [heading, ...response.answers.flatMap(answered)];
	});
	const list = sources.map((each, at) => `${at + 1}. ${each}`).join("\n");
	return ["# Questions and answers", ...parts, ...(list && ["## Sources", list]), ""].flat().join("\n\n");
}

/** Gives the reader a file. */
export function download(name, type, text) {
	const href = URL.createObjectURL(new Blob([text], { type }));
	element("a", { href, download: name }).click();
	setTimeout(() => URL.revokeObjectURL(href), 60_000); // by then it is read
}
