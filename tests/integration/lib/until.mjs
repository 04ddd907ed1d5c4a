import assert from 'node:assert/strict';

// The clock is the event here: asks until what is expected is so, and gives what it was told.
export async function until(what, ms = 20000) {
  for (const deadline = Date.now() + ms; ;) {
    const value = await what();
    if (value) return value;
    assert.ok(Date.now() < deadline, `waited ${ms} ms for ${what}`);
    await new Promise((go) => setTimeout(go, 20));
  }
}
