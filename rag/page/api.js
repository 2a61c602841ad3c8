// The wire to /v1. Every failure is told in one sentence that says what to do.

/** A failure whose message can be shown as it is. */
export class ServiceError extends Error {
	constructor(message, { status = 0, cause } = {}) {
		super(message, { cause });
		this.name = "ServiceError";
		this.status = status;
	}
}

export const OFFLINE = "The service does not answer: is “rag serve” running?";

const COLLECTION = "collection"; // under this key the tab keeps which one is asked

/** The collection that the page is about. */
export const collection = () => sessionStorage.getItem(COLLECTION) ?? "default";

/** Makes the page be about another collection; parts that show something of it listen. */
export function setCollection(name) {
	sessionStorage.setItem(COLLECTION, name);
	document.dispatchEvent(new CustomEvent("collection-changed"));
}

/** Headers that show the key which the tab was given, if any. */
export function authorization() {
	const key = sessionStorage.getItem("key");
	return key === null ? {} : { Authorization: `Bearer ${key}` };
}

async function explain(response) {
	let detail = "";
	try {
		const problem = await response.json();
		detail = String(problem.detail || problem.title || "").trim();
	} catch {
		detail = response.statusText; // not every proxy in between speaks problem+json
	}
	const said = detail && !/[.!?][)”]*$/.test(detail) ? `${detail}.` : detail;
	const { status } = response;
	if (status === 401) {
		return `The service ${sessionStorage.getItem("key") ? "refused the" : "asks for a"} key.`;
	}
	if (status === 503 || status === 429) {
		const wait = response.headers.get("Retry-After");
		const when = wait === null ? "" : ` Try again in ${wait === "1" ? "a second" : `${wait} seconds`}.`;
		return (said || "The service is not ready yet.") + when;
	}
	if (status >= 500) return `The service failed (${status}). ${said} Its log says why.`;
	return said || `The service refused this (${status}).`;
}

/** What a response that is none of success says, as an error. At 401 `key-needed` is dispatched too. */
export async function failure(response) {
	const error = new ServiceError(await explain(response), { status: response.status });
	if (error.status === 401) document.dispatchEvent(new Event("key-needed"));
	return error;
}

/** The one way to the service; `read` takes the response. */
export async function request(path, { read, headers, ...options }) {
	try {
		const response = await fetch(path, { ...options, headers: { ...headers, ...authorization() } });
		if (!response.ok) throw await failure(response);
		return await read(response);
	} catch (error) {
		if (error instanceof ServiceError || error.name === "AbortError") throw error;
		throw new ServiceError(OFFLINE, { cause: error });
	}
}

export const json = (response) => response.json();

function post(path, { body, signal }) {
	return request(path, {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: JSON.stringify(body),
		signal,
		read: json,
	});
}

/** Keeps what a person says of an answer. */
export const feedback = (body) => post("/v1/feedback", { body });

const of = (name, query = {}) => new URLSearchParams({ ...query, collection: name ?? collection() });

/** Some of the documents, by uri, and how many there are; `search` is looked for in title and uri. */
export function documents({ limit, offset = 0, search = "", signal }) {
	const query = of(null, { limit, offset, ...(search && { search }) });
	return request(`/v1/documents?${query}`, { read: json, signal });
}

/** A few questions that the collection answers. */
export const examples = ({ signal }) => request(`/v1/examples?${of()}`, { read: json, signal });

const path = (id) => `/v1/documents/${encodeURIComponent(id)}`;

/** What is known of a document, with its sections and pages. */
export function documentDetail(id, { collection: name, signal }) {
	return request(`${path(id)}?${of(name)}`, { signal, read: json });
}

/** The UTF-8 bytes of a document's text, undisturbed by what a browser does to texts. */
export function documentText(id, { collection: name, signal }) {
	const read = async (response) => new Uint8Array(await response.arrayBuffer());
	return request(`${path(id)}/text?${of(name)}`, { signal, read });
}

/** Deletes a document, even while the page is being left. */
export function deleteDocument(id, { collection: name }) {
	return request(`${path(id)}?${of(name)}`, { method: "DELETE", keepalive: true, read: () => null });
}

/** Whether the stored document has the quote at its place, and where it has it now. */
export async function verify(place, { signal }) {
	const { document: cited, start, end, quote, before = "", after = "" } = place;
	const citation = { document: cited.id, start, end, quote, version: cited.version, before, after };
	const body = { citations: [citation], collection: place.collection ?? collection() };
	const { results } = await post("/v1/citations/verify", { body, signal });
	return results[0];
}
