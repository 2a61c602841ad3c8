// Questions and what came of them, the newest on top, next to the field.

import { ask } from "./api.js";
import { announcement, answerNodes } from "./answers.js";
import { alertLine, element } from "./dom.js";

/** Returns `ask(question)`. One question is open at a time: the next one stops it. */
export function conversation({ turns, announcer, openSource }) {
  let open = null;
  let count = 0;

  async function run(question, { body }) {
    open?.abort();
    const request = new AbortController();
    open = request;
    body.setAttribute("aria-busy", "true");
    body.replaceChildren(element("p", { class: "line waiting" }, "Reading your documents"));
    announcer.textContent = "Reading your documents.";
    const again = () => run(question, { body });
    try {
      const response = await ask(question, { signal: request.signal });
      body.replaceChildren(...answerNodes(response, { openSource }));
      announcer.textContent = announcement(response);
    } catch (error) {
      if (request.signal.aborted) {
        const stopped = "Stopped, because you asked something else. ";
        const button = element("button", { type: "button", class: "plain", onclick: again }, "Ask again");
        body.replaceChildren(element("p", { class: "line" }, stopped, button));
        return;
      }
      announcer.textContent = "";
      body.replaceChildren(alertLine(error.message, { again, label: "Ask again" }));
    } finally {
      body.removeAttribute("aria-busy");
      if (open === request) open = null;
    }
  }

  return (question) => {
    count += 1;
    const id = `question-${count}`;
    const body = element("div", { class: "body" });
    const heading = element("h2", { id, dir: "auto" }, question);
    turns.prepend(element("article", { class: "turn", "aria-labelledby": id }, heading, body));
    return run(question, { body });
  };
}
