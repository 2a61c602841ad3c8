// What the page says in words: numbers, dates, places, confidence.

const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
const NUMBER = new Intl.NumberFormat("en-GB");

const CONFIDENCE = [
	{ from: 0.9, level: "high", words: "Very likely right" },
	{ from: 0.7, level: "high", words: "Likely right" },
	{ from: 0.45, level: "middle", words: "Could be right" },
	{ from: 0, level: "low", words: "A guess: check the source" },
];

/** Words, percent and level of a calibrated probability; never a flat 0% or 100%. */
export function confidence(probability) {
	const { level, words } = CONFIDENCE.find(({ from }) => probability >= from);
	const rounded = Math.round(probability * 100);
	let percent = `${rounded}%`;
	if (rounded >= 100) percent = "over 99%";
	if (rounded <= 0) percent = "under 1%";
	return { level, words, percent };
}

/** `counted(1, "document")` is "1 document"; `counted(1200, "document")` is "1,200 documents". */
export function counted(number, noun) {
	return `${NUMBER.format(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** "20 November 2023" for 2023-11-20; what is no such date is shown as it stands. */
export function date(iso) {
	const day = new Date(`${iso}T00:00:00Z`);
	return Number.isNaN(day.getTime()) ? iso : DATE.format(day);
}

/** Page, else the innermost heading; empty where the source has neither. */
export function whereabouts({ page, section }) {
	return page === null ? (section.at(-1) ?? "") : `page ${page}`;
}

/** "Reading 8 passages from 3 documents". */
export function reading({ passages }) {
	const documents = new Set(passages.map(({ document }) => document.id)).size;
	return `Reading ${counted(passages.length, "passage")} from ${counted(documents, "document")}`;
}
