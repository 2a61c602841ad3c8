// Files on their way in: sent one after the other, each with a line that tells how far it is.

import { OFFLINE, ServiceError, authorization, collection, failure, json, request } from "./api.js";
import { alertLine, element } from "./dom.js";
import { counted } from "./wording.js";

const POLL_MS = 400;
let before = Promise.resolve();

/** Sends a file; only XMLHttpRequest tells how much of it has gone. */
async function send(file, { name, progress }) {
	const form = new FormData();
	form.append("collection", name);
	form.append("file", file);
	const sent = new XMLHttpRequest();
	sent.open("POST", "/v1/documents");
	for (const header of Object.entries(authorization())) sent.setRequestHeader(...header);
	sent.upload.onprogress = ({ loaded, total }) => progress("Sending", loaded, total);
	sent.upload.onload = () => progress("Reading");
	const lost = `“${file.name}” could not be sent. Is it still there? ${OFFLINE}`;
	await new Promise((resolve, reject) => {
		sent.onload = resolve;
		sent.onerror = () => reject(new ServiceError(lost));
		sent.send(form);
	});
	const headers = { "Retry-After": sent.getResponseHeader("Retry-After") ?? "2" };
	const response = new Response(sent.responseText, { status: sent.status, headers });
	if (!response.ok) throw await failure(response);
	return response;
}

/** What a job says at its end. */
async function finished({ id, ...job }, { progress }) {
	const { status, error, chunks_done: done, chunks_total: total, documents } = job;
	if (status === "done") return `Added, ${counted(documents, "document")}`;
	if (status === "failed" || status === "cancelled") throw new ServiceError(error ?? "Cancelled.");
	progress(total ? `${done} of ${counted(total, "passage")}` : "Waiting", done, total);
	await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	return finished(await request(`/v1/jobs/${id}`, { read: json }), { progress });
}

async function add(file, { name, progress }) {
	// The next file need not wait for this one's job.
	const sent = (before = before.catch(() => null).then(() => send(file, { name, progress })));
	const response = await sent;
	const result = await response.json();
	if (response.status === 202) return finished(result, { progress });
	const [{ status, document }, ...more] = result.documents;
	if (more.length > 0) return `Added, ${counted(more.length + 1, "document")}`;
	if (status === "unchanged") return "It was there already";
	return `${status === "replaced" ? "Replaced" : "Added"}, ${counted(document.chunks, "passage")}`;
}

/** Takes files into the collection, each with a line of its own in `list`. */
export function upload(files, { list }) {
	for (const file of files) {
		const bar = element("progress", { "aria-label": file.name });
		const said = element("span", { role: "status" }, "Waiting");
		const line = element("li", {}, element("span", { dir: "auto" }, file.name), bar, said);
		const progress = (text, done, total) => {
			said.textContent = text;
			if (total) Object.assign(bar, { max: total, value: done });
			else bar.removeAttribute("value");
		};
		const run = async (name) => {
			try {
				said.textContent = await add(file, { name, progress });
				bar.remove();
				document.dispatchEvent(new CustomEvent("documents-changed"));
			} catch ({ message }) {
				const again = () => {
					line.querySelector(".alert").replaceWith(bar, said);
					run(name);
				};
				bar.remove();
				said.replaceWith(alertLine(message, { again }));
			}
		};
		list.prepend(line);
		run(collection());
	}
}
