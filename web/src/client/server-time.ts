// The server's clock, as far as its answers tell it. A browser whose clock is wrong by minutes would show a question as
// expired that is open. Each answer's Date (whole seconds) bounds the difference; what all of them allow is taken.

let low = -Infinity;
let high = Infinity;

/** An answer with this Date came between these two moments of the browser's clock. */
export function tellServerTime(date: string | null, sentAt: number, receivedAt: number): void {
  const told = date ? Date.parse(date) : NaN;
  if (Number.isNaN(told)) return;
  const [from, to] = [told - receivedAt, told + 1000 - sentAt];
  const [lower, upper] = [Math.max(low, from), Math.min(high, to)];
  // One of the clocks was set, or has drifted: what was known before is worth nothing.
  [low, high] = lower <= upper ? [lower, upper] : [from, to];
}

/** How far the server's clock is before the browser's, in milliseconds. */
export function serverAhead(): number {
  if (low === -Infinity) return 0;
  // Nought if it can be: two clocks that agree are not to differ by what the bounds leave open.
  return low <= 0 && high >= 0 ? 0 : (low + high) / 2;
}

export const serverNow = (): number => Date.now() + serverAhead();

/** fetch that looks at the clock of who answers. */
export const timedFetch = (async (url: string, init?: RequestInit): Promise<Response> => {
  const sentAt = Date.now();
  const response = await fetch(url, init);
  tellServerTime(response.headers.get("date"), sentAt, Date.now());
  return response;
}) as typeof fetch;
