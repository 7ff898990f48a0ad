// What may be done: asked and answered in a dialog over the page, which stays as it is meanwhile. Without this
// script each question is a page of its own.

const PATIENCE = 20000; // ms for an answer
const NOTHING_DONE = "Nothing was done.";
const NOT_KNOWN = "It is not known whether this was done: look at the page behind, and confirm again if it was not.";

const dialog = document.createElement("dialog");
dialog.className = "asking";
dialog.setAttribute("aria-labelledby", "question-title");
dialog.setAttribute("aria-describedby", "question-told");
document.body.append(dialog);

let asked = ""; // what the link that opened it says: the page may have a new one in its place by now
let latest = 0; // of several clicks, the last one counts

// A page of ours, or what came in its place.
async function get(address, options) {
  const answer = await fetch(address, {
    credentials: "same-origin",
    cache: "no-store",
    headers: { "X-Shown": "later" }, // what is to be told once is kept for the page that is shown
    signal: AbortSignal.timeout(PATIENCE),
    ...options,
  });
  return { answer, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
}

// What a page without a question says: an error of ours in its own words, of others no more than the status.
function inWords({ answer, page }) {
  const problem = page.querySelector("[data-problem]");
  if (!problem) return ["", `${answer.status < 500 ? "Something else answered in place of the service" : "The service does not answer"} (${answer.status}).`];
  const told = [...problem.querySelectorAll("[data-told]")].map((one) => one.textContent.trim());
  return [`${problem.querySelector("h1").textContent}.`, told.join(" ")];
}

// Asking

async function ask(address) {
  const mine = ++latest;
  let told;
  try {
    const found = await get(address);
    if (mine !== latest) return;
    const question = found.page.getElementById("question");
    if (found.answer.redirected) return void location.assign(address); // to log in
    asked = address;
    if (question) return void show(document.importNode(question, true));
    told = inWords(found).join(" ");
  } catch {
    if (mine !== latest) return;
    asked = address;
    told = "The service does not answer.";
  }
  show(apology(told, address));
}

function show(question) {
  const title = question.querySelector("#question-title");
  const heading = document.createElement("h2"); // the page has its h1
  heading.id = title.id;
  heading.textContent = title.textContent;
  title.replaceWith(heading);
  dialog.replaceChildren(question);
  if (!dialog.open) dialog.showModal();
  // Never on what is dangerous: a key that was pressed too often would do it.
  const first = dialog.querySelector(".field input, .field select") || dialog.querySelector("[data-cancel]");
  first?.focus();
}

// In place of a question that did not come.
function apology(told, address) {
  const section = document.createElement("section");
  section.className = "card message ask";
  section.innerHTML = `<h2 id="question-title">This cannot be asked now</h2>
<p class="refusal" id="question-told" role="alert"></p>
<p class="answers"><a class="button" data-ask>Try again</a> <a class="button quiet" href="" data-cancel>Close</a></p>`;
  section.querySelector(".refusal").textContent = `${told} ${NOTHING_DONE}`;
  section.querySelector("[data-ask]").href = address;
  return section;
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("a[data-ask], a[data-cancel]");
  if (!link) return;
  if (link.hasAttribute("data-ask")) {
    event.preventDefault();
    ask(link.href);
  } else if (dialog.contains(link)) {
    event.preventDefault();
    if (!isSending()) dialog.close();
  }
});

dialog.addEventListener("cancel", (event) => isSending() && event.preventDefault()); // it cannot be called back
dialog.addEventListener("close", () => {
  latest += 1;
  dialog.replaceChildren();
  for (const link of document.querySelectorAll("a[data-ask]")) {
    if (link.href === asked) {
      link.focus();
      break;
    }
  }
});

// Answering: what is pressed twice is sent once.

const isSending = () => dialog.querySelector("form[data-sent]") !== null;

function mark(form, sent) {
  form.toggleAttribute("data-sent", sent);
  if (sent) form.setAttribute("aria-busy", "true");
  else form.removeAttribute("aria-busy");
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.hasAttribute("data-sent") || dialog.contains(form)) event.preventDefault();
  if (form.hasAttribute("data-sent")) return;
  mark(form, true);
  if (dialog.contains(form)) send(form, event.submitter);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) mark(form, false);
});

async function send(form, button) {
  const body = new URLSearchParams(new FormData(form));
  if (button?.name) body.append(button.name, button.value);
  let told;
  try {
    const found = await get(form.getAttribute("action"), { method: "POST", body });
    const elsewhere = dialog.open && !dialog.contains(form); // by now something else is asked
    if (found.answer.redirected) {
      if (!elsewhere) location.assign(found.answer.url); // it says what was done
      return;
    }
    const question = found.page.getElementById("question");
    if (question) {
      if (!elsewhere) show(document.importNode(question, true)); // it says why not
      return;
    }
    const [title, detail] = inWords(found);
    told = title && found.answer.status < 500 ? `${title} ${detail} ${NOTHING_DONE}` : `${title || detail} ${NOT_KNOWN}`;
  } catch {
    told = `No answer came. ${NOT_KNOWN}`;
  }
  mark(form, false);
  refuse(form.closest("#question"), told);
}

// Say it above what was filled in, which stays.
function refuse(question, told) {
  if (!dialog.contains(question)) {
    if (dialog.open) return;
    show(question);
  }
  question.querySelector("#refusal")?.remove();
  const refusal = document.createElement("p");
  refusal.id = "refusal";
  refusal.className = "refusal";
  refusal.setAttribute("role", "alert");
  question.querySelector("#question-title").after(refusal);
  refusal.textContent = told;
  refusal.scrollIntoView({ block: "nearest" });
}

document.getElementById("done")?.focus({ preventScroll: true });
