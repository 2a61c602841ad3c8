// The wire to /v1. Every failure is told in one sentence that says what to do.

/** A failure whose message can be shown as it is. */
export class ServiceError extends Error {
  constructor(message, { status = 0 } = {}) {
    super(message);
    this.name = "ServiceError";
    this.status = status;
  }
}

const OFFLINE = "The service does not answer: is “rag serve” running?";

async function explain(response) {
  let detail = "";
  try {
    const problem = await response.json();
    detail = String(problem.detail || problem.title || "").trim();
  } catch {
    detail = response.statusText; // not every proxy in between speaks problem+json
  }
  const said = detail && !/[.!?]$/.test(detail) ? `${detail}.` : detail;
  const { status } = response;
  if (status === 503 || status === 429) {
    const wait = response.headers.get("Retry-After");
    const when = wait === null ? "" : ` Try again in ${wait === "1" ? "a second" : `${wait} seconds`}.`;
    return (said || "The service is not ready yet.") + when;
  }
  if (status >= 500) return `The service failed (${status}). ${said} Its log says why.`;
  return said || `The service refused this (${status}).`;
}

async function request(path, { read, ...options }) {
  try {
    const response = await fetch(path, options);
    if (!response.ok) {
      throw new ServiceError(await explain(response), { status: response.status });
    }
    return await read(response);
  } catch (error) {
    if (error instanceof ServiceError || error.name === "AbortError") throw error;
    throw new ServiceError(OFFLINE);
  }
}

const json = (response) => response.json();

function post(path, { body, signal }) {
  return request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
    read: json,
  });
}

/** Answers to a question, or an abstention, with the passages that were read. */
export function ask(question, { signal }) {
  return post("/v1/ask", { body: { question }, signal });
}

/** The first documents of the collection and how many there are. */
export function documents({ limit }) {
  return request(`/v1/documents?limit=${limit}&offset=0`, { read: json });
}

/** The UTF-8 bytes of a document's text: offsets count in them, undisturbed by UTF-16. */
export async function documentText(id, { signal }) {
  return request(`/v1/documents/${encodeURIComponent(id)}/text`, {
    signal,
    read: async (response) => new Uint8Array(await response.arrayBuffer()),
  });
}

/** Whether the stored document has the quote at its place: `{status, message}`. */
export async function verify({ document, start, end, quote }, { signal }) {
  const citation = { document: document.id, start, end, quote, version: document.version };
  const { results } = await post("/v1/citations/verify", { body: { citations: [citation] }, signal });
  return results[0];
}
