// Texts and the quotes in them. Server offsets count code points, JavaScript indices UTF-16 units.

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true }); // a leading BOM is part of the text

/** Decodes a whole text. */
export const decode = (bytes) => DECODER.decode(bytes);

/** The index in UTF-16 units of each code point offset; the offsets ascend. */
export function indices(text, offsets) {
	let index = 0;
	let count = 0;
	return offsets.map((offset) => {
		for (; count < offset && index < text.length; count += 1) {
			index += text.codePointAt(index) > 0xffff ? 2 : 1;
		}
		return index;
	});
}

/** How many code points a text has. */
export const codePoints = (text) => text.length - (text.match(/[\ud800-\udbff]/g)?.length ?? 0);

function meets(left, right) {
	return left.endsWith(right) || right.endsWith(left);
}

function follows(left, right) {
	return left.startsWith(right) || right.startsWith(left);
}

/**
 * Splits a sentence around a citation's quote: `{before, quote, after}`. Of several occurrences the
 * one is taken whose surroundings are the citation's; where the quote reaches beyond the sentence,
 * the citation's own surroundings are given.
 */
export function emphasise(sentence, { before, quote, after }) {
	for (let at = sentence.indexOf(quote); at !== -1; at = sentence.indexOf(quote, at + 1)) {
		const head = sentence.slice(0, at);
		const tail = sentence.slice(at + quote.length);
		if (meets(before, head) && follows(after, tail)) return { before: head, quote, after: tail };
	}
	return { before, quote, after };
}
