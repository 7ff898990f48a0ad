// What the page can do beyond being read: copy examples, and try what only reads.
"use strict";

const token = document.getElementById("token");
document.getElementById("token-row").hidden = false;

for (const example of document.querySelectorAll("main pre code")) {
  example.textContent = example.textContent.replaceAll("http://localhost:9092", location.origin);
}

for (const block of document.querySelectorAll("pre")) {
  if (!navigator.clipboard) break; // browsers have it on https and on localhost alone
  const button = document.createElement("button");
  button.className = "copy";
  button.textContent = "copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  const frame = document.createElement("div"); // what is too wide scrolls in the block, and not the button
  frame.className = "example";
  block.replaceWith(frame);
  frame.append(block, button);
}

for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show(form, "…");
    try {
      const answer = await fetch(address(form), {
        headers: token.value ? { Authorization: "Bearer " + token.value.trim() } : {},
        credentials: "omit",
      });
      const text = await answer.text();
      const named = ["ETag", "Retry-After"].filter((name) => answer.headers.has(name));
      const headers = named.map((name) => name + ": " + answer.headers.get(name) + "\n").join("");
      show(form, "HTTP " + answer.status + "\n" + headers + "\n" + pretty(text));
    } catch (error) {
      show(form, "No answer: " + error.message);
    }
  });
}

if (window.matchMedia("(max-width: 60rem)").matches) {
  document.querySelector("nav details").open = false;
}

function address(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("[data-where]")) {
    const value = field.value.trim();
    if (field.dataset.where === "path") path = path.replace("{" + field.name + "}", encodeURIComponent(value));
    else if (value) query.set(field.name, value);
  }
  return query.size ? path + "?" + query : path;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text.length > 5000 ? text.slice(0, 5000) + "\n…" : text;
  }
}

function show(form, text) {
  const block = document.createElement("pre");
  const code = document.createElement("code");
  code.textContent = text;
  block.append(code);
  form.querySelector("output").replaceChildren(block);
}
