// Example questions, made of the headings and titles of the collection's documents.

import { documentDetail } from "./api.js";
import { element } from "./dom.js";

const [SHOWN, LONGEST, LARGEST] = [4, 80, 300_000];

/**
 * The question that a heading is, or that one of two forms of English phrases safely makes: "Osmani
 * on the mediators", "The letter of December 2016". Null for all others.
 */
export function questionOf(heading) {
	const [, question] = heading.match(/(?:^|: )([^:\n]+[?？؟])\s*$/) ?? [];
	if ((question ?? heading).length > LONGEST) return null;
	if (question || /[:;\n]/.test(heading)) return question ?? null;
	const [, who, what] = heading.match(/^(\p{Lu}\S*(?: \p{Lu}\S*){0,2}) on (\S+ .*)$/u) ?? [];
	if (who && !what.includes(" on ")) return `What did ${who} say about ${what}?`;
	const [, thing] = heading.match(/^The (\S+ (?:of|in|with|between|for|from) .*[^.!])$/) ?? [];
	return thing ? `What do the documents say about the ${thing}?` : null;
}

/** Offers questions as buttons in `place`, in turns from each document. */
export async function offerExamples(documents, { place, ask, signal }) {
	const small = documents.filter(({ characters }) => characters <= LARGEST); // few headings to load
	const lists = await Promise.all(
		small.map(async ({ id, title }) => {
			const { sections } = await documentDetail(id, { signal });
			const headings = [title, ...sections.map(({ path }) => path.at(-1) ?? "")];
			return [...new Set(headings.map(questionOf).filter(Boolean))];
		}),
	);
	const rounds = Array.from({ length: SHOWN }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1)));
	const buttons = [...new Set(rounds.flat())].slice(0, SHOWN).map((question) => {
		const attributes = { type: "button", dir: "auto", onclick: () => ask(question) };
		return element("li", {}, element("button", attributes, question));
	});
	if (buttons.length === 0) return;
	place.append(element("ul", { class: "examples", "aria-label": "Example questions" }, ...buttons));
}
