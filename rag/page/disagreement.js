// Where documents give different answers.

import { confidence } from "./wording.js";

const SEPARATOR = /(?<=\d)[,'’\u00a0\u2009\u202f](?=\d{3})/g; // 1,000 is 1000
const words = ({ text }) =>
	new Set(text.normalize("NFKC").replace(SEPARATOR, "").toLowerCase().match(/[\p{L}\p{N}]+/gu));
const within = (some, others) => [...some].every((word) => others.has(word));
const sources = ({ citations }) => new Set(citations.map(({ document }) => document.id));

function differ(one, other) {
	const [some, others] = [words(one), words(other)];
	return (
		!within(some, others) && !within(others, some) && sources(one).isDisjointFrom(sources(other))
	);
}

/**
 * The answers that stand against each other, the best first; none where no two do.
 *
 * That the documents disagree cannot be known from spans, as both of two answers may be right (two
 * causes, two visits). So no more is claimed than that they differ, and only of answers that are
 * each likely right, that no document gives both of, and of which none merely says more words than
 * the other ("93" and "93 soldiers").
 */
export function sides(answers) {
	const likely = answers.filter((each) => confidence(each.confidence).level === "high");
	const found = [];
	for (const each of likely) {
		if (found.every((other) => differ(each, other))) found.push(each);
	}
	return found.length > 1 ? found : [];
}
