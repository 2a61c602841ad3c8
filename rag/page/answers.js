// What stands under a question: answers with their citations, or an abstention with passages.

import { sides } from "./disagreement.js";
import { element } from "./dom.js";
import { feedbackRow } from "./feedback.js";
import { emphasise } from "./text.js";
import { hashOf } from "./turns.js";
import { confidence, counted, date, whereabouts } from "./wording.js";

/** Title, page or section, date: pressing it opens the source. */
export function citationButton(place, { number = null, openSource }) {
	const where = whereabouts(place);
	return element(
		"button",
		{ type: "button", class: "citation", onclick: ({ currentTarget }) => openSource(place, currentTarget) },
		number === null ? null : element("span", { class: "number" }, String(number)),
		element("span", { class: "title", dir: "auto" }, place.document.title),
		element(
			"span",
			{ class: "facts" },
			where ? element("span", { dir: "auto" }, where) : null,
			place.published ? element("time", { datetime: place.published }, date(place.published)) : null,
		),
	);
}

/** How sure: words and a bar; the figure shows when the answer is pointed at or has the focus. */
function confidenceLine(answer, { further }) {
	const { level, words, percent } = confidence(answer.confidence);
	const bar = element("span", { class: "bar" });
	bar.style.setProperty("--share", answer.confidence);
	const documents = new Set(answer.citations.map(({ document }) => document.id)).size;
	return element(
		"p",
		{ class: `confidence ${level}`, title: `Of answers rated like this, ${percent} are right` },
		bar,
		element("span", { class: "words" }, words),
		documents > 1 || further ? element("span", {}, `in ${counted(documents, "document")}`) : null,
		element("span", { class: "percent" }, percent),
	);
}

function answerItem(answer, { numbers, turn, further, ...tools }) {
	const { before, quote, after } = emphasise(answer.sentence, answer.citations[0]);
	const whole = !before.trim() && !after.trim();
	const citations = answer.citations.map((place) =>
		element("li", {}, citationButton(place, { number: numbers.next().value, ...tools })),
	);
	return element(
		"li",
		{ class: "answer" },
		element(
			"blockquote",
			{ dir: "auto", class: whole ? "whole" : null },
			before,
			element("mark", {}, quote),
			after,
		),
		confidenceLine(answer, { further }),
		element("ol", { class: "citations", "aria-label": "Sources" }, ...citations),
		feedbackRow(turn, { answer, ...tools }),
	);
}

function passageItem(passage, { openSource }) {
	const place = { ...passage, quote: passage.text };
	return element(
		"li",
		{ class: "passage" },
		element("p", { class: "excerpt", dir: "auto" }, passage.text),
		citationButton(place, { openSource }),
	);
}

function* counter() {
	for (let number = 1; ; number += 1) yield number;
}

function looked(turn) {
	const { passages } = turn.response;
	const titles = new Map(passages.map(({ document }) => [document.id, document.title]));
	const read = `${counted(passages.length, "passage")} of ${counted(titles.size, "document")} read`;
	return element(
		"p",
		{ class: "looked" },
		element("span", { title: [...titles.values()].join("\n") }, `${read}. `),
		turn.documents.length > 0 ? `Only ${counted(turn.documents.length, "chosen document")} asked. ` : "",
		element("a", { href: hashOf(turn) }, "Link to this question"),
	);
}

function abstained(turn, tools) {
	const { abstention, passages } = turn.response;
	const nodes = [element("p", { class: "abstention", dir: "auto" }, abstention.message)];
	if (passages.length > 0) {
		const closest = passages.slice(0, 3);
		nodes.push(
			feedbackRow(turn, { answer: null, ...tools }),
			element("h3", {}, closest.length === 1 ? "The closest passage" : "The closest passages"),
			element("ul", { class: "passages" }, ...closest.map((it) => passageItem(it, tools))),
		);
	}
	return [...nodes, looked(turn)];
}

/**
 * Nodes for a turn's response; citations are numbered through over all its answers. `waiting` tells
 * what goes on while more may come.
 */
export function answerNodes(turn, { waiting = null, ...tools }) {
	const { answers, abstention } = turn.response;
	if (abstention) return abstained(turn, tools);
	const line = waiting ? element("p", { class: "line waiting" }, waiting) : looked(turn);
	if (answers.length === 0) return [line];
	const against = sides(answers);
	const shown = against.length > 0 ? against : answers.slice(0, 1);
	const others = answers.filter((each) => !shown.includes(each));
	const numbers = counter();
	const list = (kind, each) => {
		const more = { numbers, turn, further: kind === "others", ...tools };
		return element("ul", { class: `answers ${kind}` }, ...each.map((it) => answerItem(it, more)));
	};
	const nodes = [list(against.length > 0 ? "sides" : "first", shown)];
	if (against.length > 0) nodes.unshift(element("h3", {}, "The documents give different answers"));
	if (others.length > 0) {
		const name = others.length === 1 ? "Another answer" : `${others.length} other answers`;
		nodes.push(element("details", {}, element("summary", {}, name), list("others", others)));
	}
	return [...nodes, line];
}

/** What is read out when a response has come. */
export function announcement({ answers, abstention, passages }) {
	if (abstention) {
		return `${abstention.message} ${counted(Math.min(3, passages.length), "close passage")} below.`;
	}
	const [{ text, citations, ...answer }] = answers;
	const { words, percent } = confidence(answer.confidence);
	const differing = sides(answers).length > 0 ? "The documents give different answers. " : "";
	return `${differing}Answer: ${text} ${words}, ${percent}. ${counted(citations.length, "source")}.`;
}
