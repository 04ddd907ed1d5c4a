// The PostgreSQL that is measured, as one that has run for a while.
import { psql } from '../../tests/integration/lib/services.mjs';

// A new cluster makes each 16 MB of its log as a file of zeros, and the commit that needs it waits for that, some
// 50 ms each time. One that has written this much between two checkpoints uses its old files again.
const LOG_MB = 640;

/** How the server, and the parts alone, come to it. */
export const way = () => (/@(%2F|:|\/)/i.test(process.env.SLUICE_TEST_POSTGRES) ? 'socket' : 'tcp');

/** Where script/with-services started it, all that follows comes to it by its socket, unless that shall be TCP (decision 36). */
export function chooseWay(byTcp) {
  if (!byTcp) process.env.SLUICE_TEST_POSTGRES = process.env.SLUICE_TEST_POSTGRES_SOCKET ?? process.env.SLUICE_TEST_POSTGRES;
}

/** Once, before anything is measured. */
export function settleCluster() {
  const admin = process.env.SLUICE_TEST_POSTGRES;
  psql(admin, `DO $$ BEGIN FOR i IN 1..${LOG_MB} LOOP PERFORM pg_logical_emit_message(false, 'bench', repeat('x', 1 << 20)); END LOOP; END $$`);
  psql(admin, 'CHECKPOINT');
}
