// Texts and the quotes in them. Server offsets count code points and JavaScript indices count UTF-16
// units, so no offset ever meets a string here: offsets are walked in UTF-8 bytes.

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true }); // a leading BOM is part of the text
const BLOCK = 3000; // UTF-16 units; a few screens, so that the browser can leave out what is unseen

/** The index of the byte at which code point `count` starts, counting on from byte `from`. */
function byteOf(count, bytes, from) {
  let at = from;
  for (let left = count; left > 0 && at < bytes.length; left -= 1) {
    const byte = bytes[at];
    at += byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  }
  return at;
}

/** Cuts UTF-8 bytes at half-open code point offsets into `{before, quote, after}`. */
export function cut(bytes, { start, end }) {
  const first = byteOf(start, bytes, 0);
  const last = byteOf(end - start, bytes, first);
  return {
    before: DECODER.decode(bytes.subarray(0, first)),
    quote: DECODER.decode(bytes.subarray(first, last)),
    after: DECODER.decode(bytes.subarray(last)),
  };
}

/** Decodes a whole text. */
export function decode(bytes) {
  return DECODER.decode(bytes);
}

/** Yields the text in pieces that end at line ends; joined they are the text. */
export function* blocks(text) {
  let start = 0;
  while (start < text.length) {
    const line = text.indexOf("\n", start + BLOCK);
    const end = line === -1 ? text.length : line + 1;
    yield text.slice(start, end);
    start = end;
  }
}

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
