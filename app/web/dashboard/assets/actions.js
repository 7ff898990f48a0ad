// What may be done: asked in a dialog over the page. Without this script each question is a page of its own.
"use strict";

(() => {
  const dialog = document.createElement("dialog");
  if (typeof dialog.showModal !== "function") return;
  dialog.className = "asking";
  dialog.setAttribute("aria-labelledby", "question-title");
  dialog.setAttribute("aria-describedby", "question-told");
  document.body.append(dialog);

  let asked = ""; // what the link that opened it says: the page may have a new one in its place by now
  let latest = 0; // of several clicks, the last one counts

  const ask = async (href) => {
    const mine = ++latest;
    let question = null;
    try {
      const answer = await fetch(href, { credentials: "same-origin", cache: "no-store" });
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        question = page.getElementById("question");
      }
    } catch {
      // no answer: the browser says so better, when it is asked for the page
    }
    if (mine !== latest) return;
    if (!question) {
      location.assign(href);
      return;
    }
    asked = href;
    show(document.importNode(question, true));
  };

  const show = (question) => {
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
  };

  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a[data-ask], a[data-cancel]");
    if (!link) return;
    if (link.hasAttribute("data-ask")) {
      event.preventDefault();
      ask(link.href);
    } else if (dialog.contains(link)) {
      event.preventDefault();
      dialog.close();
    }
  });

  // What is pressed twice is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.hasAttribute("data-sent")) {
      event.preventDefault();
      return;
    }
    form.setAttribute("data-sent", "");
    form.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      form.removeAttribute("data-sent");
      form.removeAttribute("aria-busy");
    }
  });

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

  document.getElementById("done")?.focus({ preventScroll: true });
})();
