// The questions of this tab and what came of them: kept until it is closed, and their addresses.

const KEPT = "conversation";

export const restore = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");

/** Keeps the turns; the oldest give way where the tab's room does not suffice. */
export function keep(turns) {
	try {
		sessionStorage.setItem(KEPT, JSON.stringify(turns));
	} catch (error) {
		if (turns.length === 0) throw error;
		keep(turns.slice(1));
	}
}

/** `#/q/QUESTION?documents=…&collection=…`: who opens it asks the same. */
export function hashOf({ question, collection, documents }) {
	const query = new URLSearchParams(documents.map((id) => ["documents", id]));
	if (collection !== "default") query.set("collection", collection);
	return `#/q/${encodeURIComponent(question)}${query.size > 0 ? `?${query}` : ""}`;
}

/** What a hash asks, or null. */
export function askedBy(hash) {
	const [, question, rest] = hash.match(/^#\/q\/([^?]+)(?:\?(.*))?$/) ?? [];
	if (question === undefined) return null;
	const query = new URLSearchParams(rest);
	return {
		// Unlike decodeURIComponent this takes what is wrongly encoded too.
		question: new URLSearchParams(`q=${question.replace(/[+&]/g, encodeURIComponent)}`).get("q"),
		collection: query.get("collection") ?? "default",
		documents: query.getAll("documents"),
	};
}
