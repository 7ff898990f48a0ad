// The chart: drawn by the server, kept up to date and read out here.

import { ask } from "./asking.js";
import { putIn } from "./morph.js";
import { utc } from "./times.js";

const EVERY = 15000; // ms: as often as a sample is taken

const chart = document.getElementById("chart");
let drawnAt = Date.now();
let pointed = null;

export const outdate = () => (drawnAt = 0);

// Draw it anew where it is time; what goes wrong is told by the next question about all the rest.
export async function redraw() {
  if (Date.now() - drawnAt < EVERY) return;
  drawnAt = Date.now();
  const page = await ask(`/dashboard/chart${location.search}`, "chart").catch(() => null);
  if (!page) return;
  putIn(page, false);
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
  const [idle, buffer, waiting, used, booting, desired] = found.map((count) => count?.toLocaleString("en"));
  const parts = [`${idle} idle of ${buffer}`, `${used} in use`, `${booting} booting`, `desired ${desired ?? "unknown"}`];
  if (found[2]) parts.push(`${waiting} waiting`);
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
