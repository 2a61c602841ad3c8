// The field that questions are asked in, and its keys.

const EDITABLE = "input, textarea, select, [contenteditable]";

/** Enter asks, Shift+Enter breaks the line, Up in an empty field brings the last question back. */
export function askingField({ form, field, turns, ask }) {
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		const question = field.value.trim().toWellFormed();
		if (question === "") return;
		field.value = "";
		field.focus();
		ask(question);
	});

	field.addEventListener("keydown", (event) => {
		if (event.isComposing || event.shiftKey) return;
		const { key } = event;
		if (key === "Enter") form.requestSubmit();
		else if (key === "ArrowUp" && field.value === "") field.value = turns.at(-1)?.question ?? "";
		else return;
		event.preventDefault();
	});

	document.addEventListener("keydown", (event) => {
		if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
		if (event.target.closest(EDITABLE) || document.querySelector("dialog[open]")) return;
		event.preventDefault(); // or the slash would land in the field
		field.focus();
	});
}
