// Relay: the same sessions and viewers as those of `tokens`, but the model gives as fast as it is read.
import { streams } from './tokens.mjs';

export async function run(c) {
  const { told, limit } = await streams(c, { sessions: 500, rate: 0 });
  return { values: { 'relay.rate': told.tokens_per_s }, detail: { ...told, limit } };
}
