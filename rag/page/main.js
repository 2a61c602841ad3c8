// Puts the parts of the page together.

import { showCollection } from "./collection.js";
import { conversation } from "./conversation.js";
import { documentsEntrance } from "./entrance.js";
import { askingField } from "./field.js";
import { later, styles } from "./later.js";

const byId = (id) => document.getElementById(id);
const field = byId("question");

const source = later(async () => {
	const looks = styles("panel", "source", "source_text");
	const [{ sourcePanel }] = await Promise.all([import("./source.js"), looks]);
	return sourcePanel({ panel: byId("source"), behind: byId("conversation"), fallback: field });
});
const openSource = (...place) => source((open) => open(...place));
/** An address of a source; once it is loaded, the panel follows it by itself. */
const openLinked = () => location.hash.startsWith("#/d/") && source(() => {});
openLinked();
addEventListener("popstate", openLinked);

const forget = byId("forget");
forget.hidden = sessionStorage.getItem("key") === null;
forget.addEventListener("click", () => {
	sessionStorage.removeItem("key");
	forget.hidden = true;
	field.focus();
});
const keys = later(async () => {
	const [{ keyDialog }] = await Promise.all([import("./key.js"), styles("panel", "key")]);
	return keyDialog({ forget });
});
document.addEventListener("key-needed", () => keys((ask) => ask()));

const { turns, ask, clear } = conversation({
	place: byId("turns"),
	announcer: byId("announcer"),
	openSource,
});
askingField({ form: byId("ask"), field, turns, ask });

const files = later(() => import("./export.js"));
const save = {
	markdown: ({ download, markdown }) => download("conversation.md", "text/markdown", markdown(turns)),
	json: ({ download }) =>
		download("conversation.json", "application/json", JSON.stringify({ turns }, null, 2)),
};
byId("tools").addEventListener("click", ({ target: { name } }) => {
	if (name in save) files(save[name]);
	if (name === "print") print();
	if (name === "clear") clear();
});

const printed = new Set(); // folded answers that are opened for printing only
addEventListener("beforeprint", () => {
	for (const each of document.querySelectorAll("#turns details:not([open])")) {
		printed.add(each);
		each.open = true;
	}
});
addEventListener("afterprint", () => {
	for (const each of printed) each.open = false;
	printed.clear();
});

showCollection({ count: byId("count"), place: byId("collection"), openSource, ask });
documentsEntrance({
	dialog: byId("documents"),
	opener: byId("open-documents"),
	select: byId("collections"),
	openSource,
});
