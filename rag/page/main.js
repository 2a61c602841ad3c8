// Puts the parts of the page together.

import { showCollection } from "./collection.js";
import { conversation } from "./conversation.js";
import { sourcePanel } from "./source.js";

const byId = (id) => document.getElementById(id);
const form = byId("ask");
const field = byId("question");

const openSource = sourcePanel({
  panel: byId("source"),
  behind: byId("conversation"),
  fallback: field,
});
const ask = conversation({
  turns: byId("turns"),
  announcer: byId("announcer"),
  openSource,
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = field.value.trim();
  if (question === "") return;
  field.value = "";
  field.focus();
  document.body.classList.add("asked");
  window.scrollTo({ top: 0 });
  ask(question);
});

field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

showCollection({ count: byId("count"), place: byId("collection"), openSource });
