// Asking: answers come as server-sent events, by fetch because an EventSource can show no key.

import { request, ServiceError } from "./api.js";

/** The events of a `text/event-stream` body (WHATWG HTML 9.2.6) as `{event, data}`. */
export async function* events(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let [rest, event, data] = ["", "", []];
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		const lines = (rest + value).split(/\r\n|\n|\r(?!$)/); // a last \r may be half of \r\n
		rest = lines.pop();
		for (const line of lines) {
			const [field] = line.split(":", 1);
			const content = line.slice(field.length + 1).replace(/^ /, "");
			if (field === "event") event = content;
			else if (field === "data") data.push(content);
			else if (line === "") {
				if (data.length > 0) yield { event, data: data.join("\n") };
				[event, data] = ["", []];
			}
		}
	}
}

/** Resolves to a response as of `/v1/ask`; `progress` gets what is there of it each time more is. */
export function ask({ question, collection, documents }, { signal, progress }) {
	const query = new URLSearchParams({ question, collection });
	for (const id of documents) query.append("documents", id);
	async function read({ body }) {
		let response = { answers: [], abstention: null, passages: [] };
		for await (const { event, data } of events(body)) {
			const said = JSON.parse(data);
			if (event === "problem") throw new ServiceError(said.detail, { status: said.status });
			if (event === "done") return { ...response, ...said };
			if (event === "hits") response = { ...response, ...said };
			if (event === "answer") response = { ...response, answers: [...response.answers, said] };
			progress(response);
		}
		throw new ServiceError("The answer broke off.");
	}
	return request(`/v1/ask/stream?${query}`, { signal, read });
}
