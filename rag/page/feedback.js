// What a person says of an answer: right, wrong, none was due, or where the right one stands.

import { feedback } from "./api.js";
import { alertLine, element } from "./dom.js";

const OF_ANSWERS = [
	["right", "Right"],
	["wrong", "Wrong"],
	["should_abstain", "Should not have answered"],
	["span", "Show the right answer"],
];
const OF_ABSTENTIONS = [
	["right", "Right, they do not say"],
	["span", "They do: show where"],
];

const span = ({ document: { id, version }, start, end, quote }) => {
	return { document: id, version, start, end, quote };
};

let choice = new AbortController();

/** Opens the source to choose a span in; `chosen` gets it. */
function choose(place, { opener, openSource, chosen }) {
	choice.abort(); // of two questions only the last one is answered
	choice = new AbortController();
	const once = { once: true, signal: choice.signal };
	document.addEventListener("span-chosen", ({ detail }) => chosen(span(detail)), once);
	openSource(place, opener, { choosing: true });
}

/** Buttons for an answer of a turn, or for its abstention; what was said is kept with the turn. */
export function feedbackRow(turn, { answer, openSource, saved }) {
	const { question, collection, response } = turn;
	const key = response.answers.indexOf(answer); // -1: the abstention
	const given = answer && span(answer.citations[0]);
	const note = element("span", { role: "status" });
	const rest = element("div");

	async function send(verdict, right = null) {
		note.textContent = "";
		const body = { question, collection, generation: response.generation, verdict, answer: given, span: right };
		try {
			await feedback(body);
			rest.replaceChildren();
			turn.feedback[key] = { verdict, span: right };
			saved();
			show();
		} catch (error) {
			rest.replaceChildren(alertLine(error.message, { again: () => send(verdict, right) }));
		}
	}

	/** The right answer may stand in any document that was read; this answer's comes first. */
	function where({ currentTarget: opener }) {
		const passages = response.passages.map((each) => ({ ...each, quote: each.text }));
		const places = [...(answer?.citations ?? []), ...passages];
		const byDocument = new Map();
		for (const place of places) {
			if (!byDocument.has(place.document.id)) byDocument.set(place.document.id, place);
		}
		const open = (place) =>
			choose(place, { opener, openSource, chosen: (right) => send("span", right) });
		if (byDocument.size === 1) return open(places[0]);
		const buttons = [...byDocument.values()].map((place) =>
			element("button", { type: "button", class: "plain", onclick: () => open(place) }, place.document.title),
		);
		rest.replaceChildren("In which document? ", ...buttons);
		return buttons[0].focus();
	}

	const buttons = (answer ? OF_ANSWERS : OF_ABSTENTIONS).map(([verdict, name]) => {
		const onclick = verdict === "span" ? where : () => send(verdict);
		return element("button", { type: "button", "data-verdict": verdict, onclick }, name);
	});
	function show() {
		const said = turn.feedback[key];
		for (const button of buttons) {
			button.setAttribute("aria-pressed", said?.verdict === button.dataset.verdict);
		}
		if (said) note.textContent = said.span ? `Noted: “${said.span.quote}”` : "Noted, thank you";
	}
	show();
	const label = answer ? "Is this answer right?" : "Is it right that there is no answer?";
	return element("div", { class: "feedback", role: "group", "aria-label": label }, ...buttons, note, rest);
}
