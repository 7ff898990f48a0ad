// Keeps an open dashboard up to date. The page works without it; what it shows comes from the server alone.
"use strict";

(() => {
  const EVERY = 1800; // ms between two questions, so that what is shown is never 2 s old; after failures more
  const LONGEST = 10000;
  const BRIEF = 3000; // ms: a first failure that came sooner may be a restart, and is not worth a word
  const PATIENCE = 8000; // ms for an answer
  const CHART_EVERY = 15000; // as often as a sample is taken
  const TYPED = 150; // ms of silence after which what was typed is looked for

  const byId = (name) => document.getElementById(name);
  const health = byId("health");
  document.documentElement.classList.add("js");

  // Times: absolute in the page, and read from here by a clock that goes as the server's does.

  let ahead = 0; // ms by which the server's clock is ahead of ours
  const now = () => Date.now() + ahead;
  const two = (number) => String(number).padStart(2, "0");

  function utc(at) {
    return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} UTC`;
  }

  function span(ms) {
    const s = Math.floor(ms / 1000);
    const [min, h, d] = [Math.floor(s / 60), Math.floor(s / 3600), Math.floor(s / 86400)];
    if (s < 60) return `${s} s`;
    if (min < 60) return `${min} min`;
    if (h < 24) return min % 60 && h < 10 ? `${h} h ${min % 60} min` : `${h} h`;
    return h % 24 && d < 10 ? `${d} d ${h % 24} h` : `${d} d`;
  }

  function read(time) {
    const at = new Date(time.dateTime);
    const since = now() - at;
    switch (time.dataset.reads) {
      case "ago": return since < 1000 ? "just now" : `${span(since)} ago`;
      case "long": return span(Math.max(0, since));
      case "for": return `for ${span(Math.max(0, since))}`;
      case "in": return since < 0 ? `in ${span(-since)}` : "any moment";
      default: return utc(at);
    }
  }

  function tick() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const text = read(time);
      if (time.textContent !== text) time.textContent = text;
      if (!time.title) {
        const at = new Date(time.dateTime);
        time.title = `${at.toISOString().slice(0, 10)} ${utc(at)}, here ${at.toLocaleTimeString()}`;
      }
    }
  }

  // Putting in what is new: elements stay the same ones, and with them focus, selection and scrolling.

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

  function putIn(html, showNew) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const section of [...fresh.body.children]) {
      const old = byId(section.id);
      if (old) morph(old, section, showNew);
    }
    tick();
  }

  // Asking

  const tags = new Map(); // by address: the ETag of what is shown

  async function ask(address, signal) {
    const headers = tags.has(address) ? { "If-None-Match": tags.get(address) } : {};
    const patience = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(address, {
      headers,
      cache: "no-store",
      credentials: "same-origin",
      signal: signal && AbortSignal.any ? AbortSignal.any([signal, patience]) : signal || patience,
    });
    const date = Date.parse(answer.headers.get("Date"));
    if (date && Math.abs(date - now()) > 1500) ahead = date + 500 - Date.now();
    if (answer.status === 304) return null;
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      throw Object.assign(new Error(told.detail || `The service answered ${answer.status}.`), { status: answer.status });
    }
    const text = await answer.text();
    tags.clear();
    tags.set(address, answer.headers.get("ETag"));
    return text;
  }

  // A page that could not be shown asks until it can.

  if (byId("away")) {
    let tried = 0;
    const again = async () => {
      try {
        await ask("/dashboard/live");
        location.reload();
      } catch (error) {
        if (error.status && error.status !== 503) location.reload();
        tried += 1;
        byId("again").textContent = `This page tries again by itself: ${tried === 1 ? "once" : `${tried} times`} so far.`;
        setTimeout(again, Math.min(LONGEST, EVERY * tried));
      }
    };
    setTimeout(again, EVERY);
    return;
  }
  if (!health) return;

  // What is told beside the sections: banner, title, icon, and the headline where it changes.

  const banner = byId("banner");
  const said = byId("said");
  const pulse = byId("pulse");
  let seen = new Date(pulse.querySelector("time").dateTime); // when what is shown was true
  let lost = null; // since when nothing comes
  let why = "";
  let resting = false;
  let headline = health.dataset.title;

  pulse.innerHTML = '<span class="beat" aria-hidden="true"></span> <span class="word"></span> <button type="button" class="quiet"></button>';
  const [beat, word, rest] = pulse.children;
  rest.addEventListener("click", () => {
    resting = !resting;
    showPulse();
    if (!resting) poll();
  });

  function showPulse() {
    const state = lost ? "lost" : resting ? "resting" : "";
    pulse.className = `pulse ${state}`;
    word.textContent = lost ? `As of ${utc(seen)}` : resting ? `Stopped at ${utc(seen)}` : "Live";
    rest.textContent = resting ? "Go on" : "Stop updates";
  }

  function showTrouble(error) {
    const kind = error.status === 401 ? "ended" : error.status === 503 ? "database" : error.status ? "refused" : "silent";
    if (!lost) lost = new Date(now());
    document.body.classList.add("old");
    if (why !== kind) {
      why = kind;
      const next = encodeURIComponent(location.pathname + location.search);
      const [title, text, link] = {
        ended: ["Your session has ended.", `What you see is as of ${utc(seen)}.`, [`/login?next=${next}`, "Log in again"]],
        database: ["The service cannot reach its database", `since ${utc(lost)}. Editors go on; nothing is allocated or ended until it is back. What you see is as of ${utc(seen)}. Trying again.`],
        silent: ["The service does not answer", `since ${utc(lost)}. What you see is as of ${utc(seen)}. Trying again.`],
        refused: ["This page cannot be brought up to date.", error.message, ["/dashboard", "Begin anew"]],
      }[kind];
      banner.replaceChildren(Object.assign(document.createElement("b"), { textContent: title }), ` ${text} `);
      if (link) banner.append(Object.assign(document.createElement("a"), { href: link[0], textContent: link[1] }));
      banner.dataset.trouble = kind;
      banner.hidden = false;
      document.title = `${title} - EC2 Orchestrator`;
      icon("bad");
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
      headline = "";
    }
    if (headline !== health.dataset.title) {
      headline = health.dataset.title;
      said.textContent = headline;
    }
    const title = `${health.dataset.title} - EC2 Orchestrator`;
    if (document.title !== title) document.title = title;
    icon(health.dataset.tone);
    showPulse();
    beat.classList.add("now");
    setTimeout(() => beat.classList.remove("now"), 100);
  }

  function icon(tone) {
    const link = document.querySelector("link[rel=icon]");
    const href = `/dashboard/assets/icon-${tone}.svg`;
    if (link.getAttribute("href") !== href) link.setAttribute("href", href);
  }

  // The round: not while nobody looks, one question at a time, more slowly while it fails.

  let timer = 0;
  let asking = null;
  let failures = 0;

  async function poll({ looked = false } = {}) {
    clearTimeout(timer);
    if (asking) asking.abort();
    const began = Date.now();
    const mine = (asking = new AbortController());
    try {
      const html = await ask(`/dashboard/live${location.search}`, mine.signal);
      if (mine !== asking) return;
      if (html !== null) putIn(html, !looked);
      failures = 0;
      showNormal();
      if (looked) said.textContent = `${byId("instances-title").textContent.replace(/\s+/g, " ")} found`;
      await pollChart();
    } catch (error) {
      if (mine !== asking) return; // another question was put in its place
      failures += 1;
      if (error.status || failures > 1 || Date.now() - began > BRIEF) showTrouble(error);
    }
    if (mine !== asking) return;
    asking = null;
    if (!document.hidden && !resting && why !== "ended") {
      timer = setTimeout(poll, Math.min(LONGEST, EVERY * 2 ** Math.min(failures, 3)));
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!resting) poll();
  });
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
      drawnAt = 0;
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
    drawnAt = 0;
    poll({ looked: true });
  });

  // The chart

  const chart = byId("chart");
  let drawnAt = Date.now();
  let chartTag = null;
  let pointed = null;

  async function pollChart() {
    if (Date.now() - drawnAt < CHART_EVERY) return;
    drawnAt = Date.now();
    const parameters = new URLSearchParams({ pool: chart.dataset.pool });
    parameters.set("hours", new URLSearchParams(location.search).get("hours") || "1");
    const answer = await fetch(`/dashboard/chart?${parameters}`, {
      headers: chartTag ? { "If-None-Match": chartTag } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (!answer.ok) return; // the next question about all the rest tells what is wrong
    chartTag = answer.headers.get("ETag");
    putIn(await answer.text(), false);
    point(pointed, "off");
  }

  const figure = () => chart.querySelector("figure");

  function point(place, live) {
    const readout = chart.querySelector(".readout");
    const summary = chart.querySelector(".summary");
    pointed = place;
    readout.hidden = place === null;
    summary.hidden = place !== null;
    const width = Number(figure().dataset.width);
    for (const line of chart.querySelectorAll(".pointer")) {
      line.setAttribute("visibility", place === null ? "hidden" : "visible");
      if (place === null) continue;
      const x = `${(100 * (place + 0.5)) / width}%`;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    if (place === null) return;
    const { start, step, points } = JSON.parse(figure().dataset.points);
    readout.setAttribute("aria-live", live);
    const at = utc(new Date((start + place * step) * 1000));
    const found = points[place];
    if (!found) {
      readout.textContent = `${at}: nothing is known`;
      return;
    }
    const [idle, buffer, waiting, used, booting, desired] = found;
    const parts = [`${idle} idle of ${buffer}`, `${used} in use`, `${booting} booting`, `desired ${desired ?? "unknown"}`];
    if (waiting) parts.push(`${waiting} waiting`);
    readout.textContent = `${at}: ${parts.join(", ")}`;
  }

  chart.addEventListener("pointermove", (event) => {
    const plot = event.target.closest(".panel")?.querySelector(".plot");
    if (!plot) return;
    const box = plot.getBoundingClientRect();
    const width = Number(figure().dataset.width);
    const place = Math.floor((width * (event.clientX - box.left)) / box.width);
    point(Math.min(width - 1, Math.max(0, place)), "off");
  });
  chart.addEventListener("pointerleave", () => point(null, "off"));
  chart.addEventListener("focusout", () => point(null, "off"));
  chart.addEventListener("keydown", (event) => {
    if (event.target !== figure()) return;
    const known = Object.keys(JSON.parse(figure().dataset.points).points).map(Number);
    if (!known.length) return;
    const at = pointed === null ? known.length : known.findIndex((place) => place >= pointed);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: known.length - 1 }[event.key];
    if (event.key === "Escape") point(null, "off");
    if (to === undefined) return;
    event.preventDefault();
    point(known[Math.min(known.length - 1, Math.max(0, to))], "polite");
  });

  showPulse();
  tick();
  setInterval(tick, 1000);
  if (!document.hidden) timer = setTimeout(poll, EVERY);
})();
