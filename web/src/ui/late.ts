// Parts of the page that come later. One that does not come, since the server is away, is asked for again: what is
// around it stands meanwhile.

import { lazy, type ComponentType } from "react";

const TRIES = 8; // some two minutes
const WAIT_MS = 500; // before the second one; twice as long each time

async function patiently<T>(get: () => Promise<T>): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await get();
    } catch (err) {
      if (n === TRIES) throw err; // gone for good, after an upgrade say: the page offers to be loaded anew
      await new Promise((done) => setTimeout(done, WAIT_MS * 2 ** (n - 1)));
    }
  }
}

// Components take what they take: this is React's own type of them, too.
export const late = <T extends ComponentType<any>>(get: () => Promise<{ default: T }>) => lazy(() => patiently(get));
