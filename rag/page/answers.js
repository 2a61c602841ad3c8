// What stands under a question: answers with their citations, or an abstention with passages.

import { element } from "./dom.js";
import { emphasise } from "./text.js";
import { confidence, counted, date, whereabouts } from "./wording.js";

/** Title, page or section, date: pressing it opens the source. */
export function citationButton(place, { number = null, openSource }) {
  const where = whereabouts(place);
  return element(
    "button",
    { type: "button", class: "citation", onclick: ({ currentTarget }) => openSource(place, currentTarget) },
    number === null ? null : element("span", { class: "number" }, String(number)),
    element("span", { class: "title", dir: "auto" }, place.document.title),
    element(
      "span",
      { class: "facts" },
      where ? element("span", { dir: "auto" }, where) : null,
      place.published ? element("time", { datetime: place.published }, date(place.published)) : null,
    ),
  );
}

function answerItem(answer, { numbers, openSource }) {
  const { before, quote, after } = emphasise(answer.sentence, answer.citations[0]);
  const { level, words, percent } = confidence(answer.confidence);
  const whole = !before.trim() && !after.trim();
  const citations = answer.citations.map((place) =>
    element("li", {}, citationButton(place, { number: numbers.next(), openSource })),
  );
  return element(
    "li",
    { class: "answer" },
    element(
      "blockquote",
      { dir: "auto", class: whole ? "whole" : null },
      before,
      element("mark", {}, quote),
      after,
    ),
    element(
      "p",
      { class: `confidence ${level}` },
      element("span", { class: "words" }, words),
      element("span", { class: "percent" }, percent),
    ),
    element("ol", { class: "citations", "aria-label": "Sources" }, ...citations),
  );
}

function passageItem(passage, { openSource }) {
  const place = { ...passage, quote: passage.text };
  return element(
    "li",
    { class: "passage" },
    element("p", { class: "excerpt", dir: "auto" }, passage.text),
    citationButton(place, { openSource }),
  );
}

function counter() {
  let last = 0;
  return { next: () => (last += 1) };
}

function looked({ passages }) {
  const documents = new Set(passages.map(({ document }) => document.id)).size;
  const read = `${counted(passages.length, "passage")} of ${counted(documents, "document")} read.`;
  return element("p", { class: "looked" }, read);
}

function abstained(response, { openSource }) {
  const nodes = [element("p", { class: "abstention", dir: "auto" }, response.abstention.message)];
  if (response.passages.length > 0) {
    const closest = response.passages.slice(0, 3);
    nodes.push(
      element("h3", {}, closest.length === 1 ? "The closest passage" : "The closest passages"),
      element("ul", { class: "passages" }, ...closest.map((it) => passageItem(it, { openSource }))),
      looked(response),
    );
  }
  return nodes;
}

/** Nodes for a response of `/v1/ask`; citations are numbered through over all its answers. */
export function answerNodes(response, { openSource }) {
  if (response.answers.length === 0) return abstained(response, { openSource });
  const numbers = counter();
  const [first, ...others] = response.answers.map((it) => answerItem(it, { numbers, openSource }));
  const nodes = [element("ul", { class: "answers" }, first)];
  if (others.length > 0) {
    nodes.push(
      element("h3", {}, others.length === 1 ? "Another answer" : "Other answers"),
      element("ul", { class: "answers others" }, ...others),
    );
  }
  return [...nodes, looked(response)];
}

/** What is read out when a response has come. */
export function announcement(response) {
  if (response.answers.length === 0) {
    const passages = counted(Math.min(3, response.passages.length), "close passage");
    return `${response.abstention.message} ${passages} below.`;
  }
  const [{ text, citations, ...answer }] = response.answers;
  const { words, percent } = confidence(answer.confidence);
  return `Answer: ${text} ${words}, ${percent}. ${counted(citations.length, "source")}.`;
}
