// A page that could not be shown, because the database was away, is asked for again until it can be shown.

import { ask } from "./asking.js";

const EVERY = 1800; // ms
const LONGEST = 10000;

let tried = 0;

async function again() {
  try {
    await ask("/dashboard/live", "health");
  } catch (trouble) {
    if (!trouble.ours || trouble.kind === "database") {
      tried += 1;
      document.getElementById("again").textContent = `This page tries again by itself: ${tried === 1 ? "once" : `${tried} times`} so far.`;
      setTimeout(again, Math.min(LONGEST, EVERY * tried));
      return;
    }
  }
  location.replace(location.pathname + location.search); // no reload, which would send a form again
}

setTimeout(again, EVERY);
