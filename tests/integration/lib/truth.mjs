// Checks that hold for every session, whatever was killed meanwhile.
import assert from 'node:assert/strict';
import { isTerminal } from './client.mjs';
import { holdEvents } from './contract.mjs';

// The stored log is gapless, holds to asyncapi.yaml and ends at most once.
export function checkLog(events, id) {
  holdEvents(events);
  events.forEach((e, i) => {
    assert.equal(e.seq, i + 1, `session ${id}: seq ${e.seq} stands at place ${i + 1}`);
    assert.equal(e.session_id, id);
  });
  const ends = events.filter(isTerminal);
  assert.ok(ends.length <= 1, `session ${id} ended ${ends.length} times`);
  if (ends.length) assert.equal(ends[0].seq, events.length, `session ${id}: events after its end`);
  return ends[0];
}

// What a reader saw is the log's beginning: same events, same order, nothing twice, nothing missing.
export function checkReader(reader, log) {
  assert.deepEqual(reader.problems, [], `reader of ${reader.id}`);
  assert.deepEqual(reader.events, log.slice(0, reader.events.length), `reader of ${reader.id}: not a prefix of the log`);
}

// Each message equals its chunks since the last reset.
export function checkMessages(log, id) {
  const texts = new Map();
  for (const e of log) {
    const m = e.data?.message_id;
    if (e.type === 'stream_reset') texts.set(m, '');
    else if (e.type === 'token_stream' && !e.data.is_thinking) texts.set(m, (texts.get(m) ?? '') + e.data.chunk);
    else if (e.type === 'message' && e.data.role === 'assistant') {
      assert.equal(texts.get(m) ?? '', e.data.content, `session ${id}: message ${m} is not the sum of its chunks`);
    }
  }
}
