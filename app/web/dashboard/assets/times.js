// Times: absolute in the page, and read from here by a clock that goes as the server's does.

let ahead = 0; // ms by which the server's clock is ahead of ours
export const now = () => Date.now() + ahead;
const two = (number) => String(number).padStart(2, "0");

// An answer says what the time is there; its header is a second's.
export function heard(date) {
  const at = Date.parse(date);
  if (at && Math.abs(at - now()) > 1500) ahead = at + 500 - Date.now();
}

export function utc(at) {
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} UTC`;
}

export const dated = (at) => `${at.toISOString().slice(0, 10)} ${utc(at)}`;

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

export function tick() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = read(time);
    if (time.textContent !== text) time.textContent = text;
    if (!time.title) {
      const at = new Date(time.dateTime);
      time.title = `${dated(at)}, here ${at.toLocaleTimeString()}`;
    }
  }
}
