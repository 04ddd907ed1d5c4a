// Parsing takes turns with scrolling and streaming: a share of the time, with something in hand for the first screen.
// What gets no turn is shown as plain text and parsed when the browser has nothing better to do.

const IN_HAND_MS = 80;
const SHARE = 0.35;

let inHand = IN_HAND_MS;
let countedAt = 0;

export function mayParse(): boolean {
  if (typeof requestAnimationFrame === "undefined") return true; // no page, nothing to hold up
  const now = performance.now();
  inHand = Math.min(IN_HAND_MS, inHand + (now - countedAt) * SHARE);
  countedAt = now;
  return inHand > 0;
}

/** Does it, and counts the time that it takes. */
export function timed<T>(work: () => T): T {
  const began = performance.now();
  try {
    return work();
  } finally {
    inHand -= performance.now() - began;
  }
}

const waiting = new Set<() => void>();
let asked = false;

function ask(): void {
  if (asked) return;
  asked = true;
  if (typeof requestIdleCallback === "function") requestIdleCallback(work, { timeout: 300 });
  else setTimeout(() => work(undefined), 50);
}

function work(deadline: IdleDeadline | undefined): void {
  asked = false;
  const until = performance.now() + Math.max(4, Math.min(12, deadline?.timeRemaining() ?? 6));
  for (const job of waiting) {
    waiting.delete(job);
    job();
    if (performance.now() >= until) break;
  }
  if (waiting.size) ask();
}

/** When there is time. Gives back how to call it off. */
export function whenIdle(job: () => void): () => void {
  waiting.add(job);
  ask();
  return () => void waiting.delete(job);
}
