// Putting in what is new: elements stay the same ones, and with them focus, selection and scrolling.

import { tick } from "./times.js";

const OWN = { DETAILS: ["open"], TIME: ["title"], OUTPUT: ["hidden"] }; // set here, not there
const keyOf = (node) => (node.nodeType === 1 ? node.dataset.key || node.id || "" : "");

function morph(old, fresh, showNew) {
  if (old.nodeType !== 1) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeName === "TIME" && old.dateTime === fresh.dateTime) return;
  const own = OWN[old.nodeName] || [];
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && (!own.includes(name) || old.nodeName === "TIME")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !own.includes(name)) old.setAttribute(name, value);
  }
  const wanted = new Set([...fresh.childNodes].map(keyOf));
  const keyed = new Map();
  for (const child of [...old.children].filter(keyOf)) {
    if (wanted.has(keyOf(child))) keyed.set(keyOf(child), child);
    else child.remove();
  }
  let place = old.firstChild;
  const drop = () => {
    const next = place.nextSibling;
    place.remove();
    place = next;
  };
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    const match = key ? keyed.get(key) : place && !keyOf(place) ? place : null;
    if (!match || match.nodeName !== child.nodeName) {
      const added = document.importNode(child, true);
      old.insertBefore(added, place);
      if (key && showNew) added.classList.add("changed");
      continue;
    }
    if (key) while (place && place !== match && !keyOf(place)) drop(); // so that the match need not move
    if (place === match) place = place.nextSibling;
    else old.insertBefore(match, place);
    morph(match, child, showNew);
  }
  while (place) drop();
}

export function putIn(page, showNew) {
  for (const section of [...page.body.children]) {
    const old = document.getElementById(section.id);
    if (old) morph(old, section, showNew);
  }
  tick();
}
