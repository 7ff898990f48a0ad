// What the service answers, told apart from what a proxy or somebody's network says in its place.

import { heard } from "./times.js";

const PATIENCE = 8000; // ms for an answer
const OURS = "urn:ec2-orchestrator:problem:";

// Why there is no answer:
//   ended     the service asks who this is
//   database  it cannot reach its database
//   refused   it refuses for another reason, which the message tells
//   silent    it does not answer, or what stands before it says that it does not (`status`)
//   stranger  something else answers in its place (`status`)
export class Trouble extends Error {
  constructor(kind, { status = 0, message = "" } = {}) {
    super(message || kind);
    this.kind = kind;
    this.status = status;
  }

  get ours() {
    return this.kind !== "silent" && this.kind !== "stranger";
  }
}

async function troubleOf(answer) {
  const { status } = answer;
  const isProblem = (answer.headers.get("Content-Type") || "").startsWith("application/problem+json");
  const told = isProblem ? await answer.json().catch(() => null) : null;
  if (!told || !String(told.type).startsWith(OURS)) return new Trouble(status >= 500 ? "silent" : "stranger", { status });
  if (told.code === "unauthenticated") return new Trouble("ended", { status });
  if (told.code === "registry-unavailable") return new Trouble("database", { status });
  return new Trouble("refused", { status, message: told.detail });
}

const known = new Map(); // by section: the address and the ETag of what is shown

// The sections of a page, as a document; null: they are as they were. Raises Trouble.
export async function ask(address, section, signal) {
  const last = known.get(section);
  const patience = AbortSignal.timeout(PATIENCE);
  try {
    const answer = await fetch(address, {
      headers: last?.address === address ? { "If-None-Match": last.tag } : {},
      cache: "no-store",
      credentials: "same-origin",
      redirect: "manual", // the service redirects none of these: who does is a stranger
      signal: signal && AbortSignal.any ? AbortSignal.any([signal, patience]) : signal || patience,
    });
    if (answer.type === "opaqueredirect") throw new Trouble("stranger");
    if (!answer.ok && answer.status !== 304) throw await troubleOf(answer);
    const page = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    if (page && !page.getElementById(section)) throw new Trouble("stranger", { status: answer.status });
    heard(answer.headers.get("Date"));
    if (!page) return null;
    const tag = answer.headers.get("ETag");
    if (tag) known.set(section, { address, tag });
    else known.delete(section);
    return page;
  } catch (error) {
    throw error instanceof Trouble ? error : new Trouble("silent");
  }
}
