// Keeps an open dashboard up to date. The page works without it; what it shows comes from the server alone.

import { ask } from "./asking.js";
import * as chart from "./chart.js";
import { putIn } from "./morph.js";
import { dated, now, tick, utc } from "./times.js";

const EVERY = 1800; // ms between two questions, so that what is shown is never 2 s old; after failures more
const LONGEST = 10000;
const UNSEEN_EVERY = 20000; // ms, while the tab is hidden: its title and its icon can be seen all the same
const OLD = 90000; // ms: browsers wake a hidden tab once a minute
const BRIEF = 3000; // ms: a first failure that came sooner may be a restart, and is not worth a word
const TYPED = 150; // ms of silence after which what was typed is looked for
const DONE = 60000; // ms for which it is told what was done

const byId = (name) => document.getElementById(name);
const health = byId("health");
document.documentElement.classList.add("js");

// What is told beside the sections: banner, title, icon, and the judgement where it changes.

const banner = byId("banner");
const said = byId("said");
const pulse = byId("pulse");
let seen = new Date(pulse.querySelector("time").dateTime); // when what is shown was true
let lost = null; // since when nothing comes
let why = "";
let resting = false;
let judged = judgement();

pulse.innerHTML =
  '<span class="beat" aria-hidden="true"></span> <span class="word"></span> <span class="printed"></span> <button type="button" class="quiet"></button>';
const [beat, word, printed, rest] = pulse.children;
rest.addEventListener("click", () => {
  resting = !resting;
  showPulse();
  if (resting) wait();
  else poll();
});

function showPulse() {
  const state = lost ? "lost" : resting ? "resting" : "";
  pulse.className = `pulse ${state}`;
  word.textContent = lost ? `As of ${utc(seen)}` : resting ? `Stopped at ${utc(seen)}` : "Live";
  printed.textContent = `As of ${dated(seen)}`;
  rest.textContent = resting ? "Go on" : "Stop updates";
}

function showTitle(title, tone) {
  const whole = `${title} - EC2 Orchestrator`;
  if (document.title !== whole) document.title = whole;
  const link = document.querySelector("link[rel=icon]");
  const href = `/dashboard/assets/icon-${tone}.svg`;
  if (link.getAttribute("href") !== href) link.setAttribute("href", href);
}

function told({ kind, status, message }) {
  const code = status >= 400 ? ` (${status})` : "";
  const asOf = `What you see is as of ${utc(seen)}.`;
  const here = location.pathname + location.search;
  switch (kind) {
    case "ended":
      return ["Your session has ended.", asOf, [`/login?next=${encodeURIComponent(here)}`, "Log in again"]];
    case "database":
      return ["The service cannot reach its database", `since ${utc(lost)}. Editors go on; nothing is allocated or ended until it is back. ${asOf} Trying again.`];
    case "refused":
      return ["This page cannot be brought up to date.", message, ["/dashboard", "Begin anew"]];
    case "stranger":
      return [`Something else answers in place of the service${code}`, `since ${utc(lost)}: a proxy, or the login of a network. ${asOf} Trying again.`, [here, "Load the page"]];
    default:
      return [`The service does not answer${code}`, `since ${utc(lost)}. ${asOf} Trying again.`];
  }
}

function showTrouble(trouble) {
  if (!lost) lost = new Date(now());
  document.body.classList.add("old");
  const [title, text, link] = told(trouble);
  if (why !== title) {
    why = title;
    banner.replaceChildren(Object.assign(document.createElement("b"), { textContent: title }), ` ${text} `);
    if (link) banner.append(Object.assign(document.createElement("a"), { href: link[0], textContent: link[1] }));
    banner.dataset.trouble = trouble.kind;
    banner.hidden = false;
    showTitle(title, "bad");
  }
  showPulse();
}

function showNormal() {
  seen = new Date(now());
  if (lost) {
    lost = null;
    why = "";
    banner.hidden = true;
    delete banner.dataset.trouble;
    document.body.classList.remove("old");
    judged = {};
  }
  const before = judged;
  judged = judgement();
  if (judged.all !== before.all || (judged.waiting && !before.waiting)) said.textContent = health.dataset.title;
  showTitle(health.dataset.title, health.dataset.icon);
  showPulse();
  beat.classList.add("now");
  setTimeout(() => beat.classList.remove("now"), 100);
}

// What is worth a word to who listens: not each count.
function judgement() {
  const { verdict, tone, elsewhere, waiting } = health.dataset;
  return { all: [verdict, tone, elsewhere].join(), waiting: Number(waiting) };
}

// A title is believed for as long as it stands there.
function showAge() {
  if (!lost && now() - seen > OLD) showTitle(`Not updated since ${utc(seen)}`, "old");
}

// The round: one question at a time, more slowly while it fails or nobody looks.

let timer = 0;
let asking = null;
let failures = 0;

async function poll({ looked = false } = {}) {
  clearTimeout(timer);
  if (asking) asking.abort();
  const began = Date.now();
  const mine = (asking = new AbortController());
  try {
    const page = await ask(`/dashboard/live${location.search}`, "health", mine.signal);
    if (mine !== asking) return;
    if (page) putIn(page, !looked);
    failures = 0;
    showNormal();
    if (looked) said.textContent = `${byId("instances-title").textContent.replace(/\s+/g, " ")} found`;
    if (!document.hidden) await chart.redraw();
  } catch (trouble) {
    if (mine !== asking) return; // another question was put in its place
    failures += 1;
    if (trouble.ours || failures > 1 || Date.now() - began > BRIEF) showTrouble(trouble);
  }
  if (mine !== asking) return;
  asking = null;
  wait();
}

function wait() {
  clearTimeout(timer); // all there is to do where none is to come
  if (resting || banner.dataset.trouble === "ended") return;
  const pause = Math.min(LONGEST, EVERY * 2 ** Math.min(failures, 3));
  timer = setTimeout(poll, document.hidden ? UNSEEN_EVERY : pause);
}

document.addEventListener("visibilitychange", () => {
  if (resting) return;
  if (document.hidden) wait();
  else poll();
});
document.addEventListener("freeze", () => lost || showTitle(`Not updated since ${utc(seen)}`, "old"));
document.addEventListener("resume", () => resting || poll());
addEventListener("online", () => resting || poll());
addEventListener("pageshow", (event) => event.persisted && !resting && poll());
addEventListener("pagehide", () => {
  clearTimeout(timer);
  if (asking) asking.abort();
  asking = null; // what fails because the page is left is no failure
});

// Looking for something else, in place

const form = () => document.querySelector("form[data-filter]");

function go(parameters, { replace = false } = {}) {
  const query = parameters.toString();
  const address = location.pathname + (query ? `?${query}` : "");
  history[replace ? "replaceState" : "pushState"](null, "", address);
  poll({ looked: true });
}

function filter() {
  const given = new FormData(form());
  const parameters = new URLSearchParams(location.search);
  for (const name of ["q", "state", "everywhere"]) {
    const value = (given.get(name) || "").trim();
    if (value) parameters.set(name, value);
    else parameters.delete(name);
  }
  parameters.delete("page");
  parameters.delete("allocations_page");
  if (parameters.toString() !== new URLSearchParams(location.search).toString()) go(parameters, { replace: true });
}

function fillIn() {
  const parameters = new URLSearchParams(location.search);
  const { q, state, everywhere } = form().elements;
  if (q !== document.activeElement) q.value = parameters.get("q") || "";
  state.value = parameters.get("state") || "";
  if (everywhere) everywhere.checked = parameters.has("everywhere");
}

let typing = 0;
document.addEventListener("input", (event) => {
  if (event.target.form !== form() || !form()) return;
  clearTimeout(typing);
  typing = setTimeout(filter, event.target.type === "search" ? TYPED : 0);
});
document.addEventListener("submit", (event) => {
  if (event.target !== form()) return;
  event.preventDefault();
  clearTimeout(typing);
  filter();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-stay], #chart a[data-hours]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  if (link.dataset.hours) {
    const parameters = new URLSearchParams(location.search);
    if (link.dataset.hours === "1") parameters.delete("hours");
    else parameters.set("hours", link.dataset.hours);
    chart.outdate();
    go(parameters, { replace: true });
    return;
  }
  const to = new URL(link.href);
  const section = link.closest("section");
  go(to.searchParams);
  fillIn();
  (byId(to.hash.slice(1)) || section).scrollIntoView({ block: "nearest" });
});
addEventListener("popstate", () => {
  fillIn();
  chart.outdate();
  poll({ looked: true });
});

// What was done is told for a while, and no longer: it is soon no longer so.

const done = byId("done");

function dismiss() {
  if (done.contains(document.activeElement)) byId("main").focus({ preventScroll: true });
  done.remove();
}

if (done) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Dismiss" });
  button.addEventListener("click", dismiss);
  done.append(" ", button);
  setTimeout(dismiss, DONE);
}

showPulse();
tick();
setInterval(() => {
  tick();
  showAge();
}, 1000);
wait();
