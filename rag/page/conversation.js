// The conversation, the newest question on top, next to the field.

import { announcement, answerNodes } from "./answers.js";
import { collection } from "./api.js";
import { ask } from "./asking.js";
import { alertLine, element } from "./dom.js";
import { chosenDocuments } from "./filters.js";
import { askedBy, hashOf, keep, restore } from "./turns.js";
import { reading } from "./wording.js";

/** Puts the collection on each place: it opens there even when another one is asked by now. */
function placed({ answers, passages, ...rest }, { collection: name }) {
	const put = (place) => ({ ...place, collection: name });
	return {
		...rest,
		answers: answers.map((each) => ({ ...each, citations: each.citations.map(put) })),
		passages: passages.map(put),
	};
}

/**
 * Returns the `turns`, `ask(question)` and `clear()`. One question is open at a time: the next one
 * stops it. Each has its address, and going back or on shows the question of the address.
 */
export function conversation({ place, announcer, openSource }) {
	const turns = restore();
	const bodies = new Map();
	const waiting = new Set(); // turns that lack a key
	const saved = () => keep(turns);
	let open = null;
	let here = null;

	function show(turn) {
		const body = element("div", { class: "body" });
		const id = `question-${bodies.size}`;
		const heading = element("h2", { id, dir: "auto" }, turn.question);
		bodies.set(turn, body);
		place.prepend(element("article", { class: "turn", "aria-labelledby": id }, heading, body));
		return body;
	}

	const fill = (body, turn, more) =>
		body.replaceChildren(...answerNodes(turn, { openSource, saved, ...more }));

	function stopped(turn, body, why) {
		const again = { type: "button", class: "plain", onclick: () => run(turn) };
		const line = element("p", { class: "line" }, why, element("button", again, "Ask again"));
		body.replaceChildren(line);
	}

	async function run(turn) {
		open?.abort();
		const request = new AbortController();
		open = request;
		waiting.delete(turn);
		const body = bodies.get(turn);
		body.setAttribute("aria-busy", "true");
		body.replaceChildren(element("p", { class: "line waiting" }, "Looking through your documents"));
		announcer.textContent = "Looking through your documents.";
		const progress = (partial) => {
			if (partial.answers.length === 0) announcer.textContent = `${reading(partial)}.`;
			fill(body, { ...turn, response: placed(partial, turn) }, { waiting: reading(partial) });
		};
		try {
			turn.response = placed(await ask(turn, { signal: request.signal, progress }), turn);
			saved();
			fill(body, turn);
			announcer.textContent = announcement(turn.response);
		} catch (error) {
			if (request.signal.aborted) {
				stopped(turn, body, "Stopped, because you asked something else. ");
				return;
			}
			if (error.status === 401) waiting.add(turn);
			announcer.textContent = "";
			const again = () => run(turn);
			body.replaceChildren(alertLine(error.message, { again, label: "Ask again" }));
		} finally {
			body.removeAttribute("aria-busy");
			if (open === request) open = null;
		}
	}

	function start(asked) {
		const turn = { ...asked, asked: new Date().toISOString(), response: null, feedback: {} };
		turns.push(turn);
		saved();
		show(turn);
		here = hashOf(turn);
		if (location.hash !== here) history.pushState(null, "", here);
		document.body.classList.add("asked");
		window.scrollTo({ top: 0 });
		return run(turn);
	}

	function follow() {
		const { hash } = location;
		if (hash.startsWith("#/d/") && here !== null) return; // the source view's
		const moved = hash !== here;
		here = hash;
		document.body.classList.toggle("asked", turns.length > 0 && hash !== "");
		const asked = askedBy(hash);
		const turn = asked && turns.findLast((each) => hashOf(each) === hashOf(asked));
		if (asked && !turn) start(asked);
		else if (!moved) return;
		else if (!turn || turn === turns.at(-1)) window.scrollTo({ top: 0 });
		else bodies.get(turn).parentNode.scrollIntoView();
	}

	for (const turn of turns) {
		show(turn);
		if (turn.response) fill(bodies.get(turn), turn);
		else if (turn === turns.at(-1)) run(turn);
		else stopped(turn, bodies.get(turn), "This was not answered. ");
	}
	history.scrollRestoration = "manual"; // where to look is said by the address
	follow();
	addEventListener("popstate", follow);
	document.addEventListener("key-changed", () => waiting.forEach(run));

	return {
		turns,
		ask: (question) => start({ question, collection: collection(), documents: chosenDocuments() }),
		clear() {
			open?.abort();
			turns.length = 0;
			saved();
			bodies.clear();
			place.replaceChildren();
			history.pushState(null, "", location.pathname);
			follow();
		},
	};
}
