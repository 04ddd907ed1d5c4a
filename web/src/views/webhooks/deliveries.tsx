// What became of what was sent, and sending it again.

import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { WebhookDelivery } from "@sluice/client";
import { href } from "@/app/route";
import { client } from "@/client/http";
import { moment } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { TextField } from "@/ui/kit/field";
import { ErrorText, Loaded } from "@/ui/kit/loaded";
import { More, usePages } from "@/ui/kit/pages";
import { Tabs } from "@/ui/kit/tabs";
import { toast } from "@/ui/kit/toast";
import { useLang, useWords } from "@/words/words";
import { deliveryAge, deliveryText } from "./state";
import { webhookWords } from "./words";
import type { UseQueryResult } from "@tanstack/react-query";

// Deliveries come over no channel.
const LOOK_MS = 4_000;

export function Deliveries({ id }: { id: string }) {
  const w = useWords(webhookWords);
  useLang();
  const [status, setStatus] = useState("");
  const pages = usePages(["webhooks", id, "deliveries", status], (cursor, signal) =>
    client.listWebhookDeliveries(id, { status: (status || null) as "delivered" | "failed" | null, limit: 25, cursor }, { signal }), { refetchInterval: LOOK_MS });
  const tabs = [{ id: "", label: w.allDeliveries }, { id: "delivered", label: w.onlyDelivered }, { id: "failed", label: w.onlyFailed }];
  return (
    <section data-testid="deliveries">
      <div className="row"><h3>{w.deliveries}</h3><span className="faint">{w.deliveriesAbout}</span></div>
      <Tabs label={w.show} tabs={tabs} chosen={status} onChoose={setStatus}>
        <Loaded query={pages.query as UseQueryResult<unknown>}>
          {() => (pages.items?.length ? (
            <>
              <div className="table-wrap" tabIndex={0} role="region" aria-label={w.deliveries}>
                <table className="data-table">
                  <thead><tr><th scope="col">{w.when}</th><th scope="col">{w.event}</th><th scope="col">{w.what}</th><th scope="col"><span className="sr">{w.replay}</span></th></tr></thead>
                  <tbody>{pages.items.map((d) => <Row key={d.id} webhook={id} delivery={d} />)}</tbody>
                </table>
              </div>
              <More pages={pages} />
            </>
          ) : <p className="hint">{status ? w.noneFit : w.noDeliveries}</p>)}
        </Loaded>
      </Tabs>
      <ReplaySince id={id} />
    </section>
  );
}

function Row({ webhook, delivery: d }: { webhook: string; delivery: WebhookDelivery }) {
  const w = useWords(webhookWords);
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const told = deliveryText(d, w);
  const again = async () => {
    setBusy(true);
    try {
      const now = await client.replayWebhookDelivery(webhook, d.id);
      toast(now.delivered ? w.replayed : w.replayFailed, now.delivered ? "good" : "bad");
    } catch (err) {
      toast((err as Error).message, "bad");
    } finally {
      setBusy(false);
      void queries.invalidateQueries({ queryKey: ["webhooks"] });
    }
  };
  return (
    <tr data-testid="delivery" data-status={d.status}>
      <td title={moment(d.updated_at)}>{deliveryAge(d)}</td>
      <td><code>{d.type}</code> <a href={href.session(d.session_id)}>#{d.seq}</a></td>
      <td><span className="delivery-told" data-tone={told.tone}><Icon name={d.status === "delivered" ? "check" : "cross"} size={13} />{told.text}</span></td>
      <td className="actions">
        <button type="button" className="small" disabled={busy} onClick={() => void again()} data-testid="replay">{busy ? <span className="spinner" aria-hidden="true" /> : <Icon name="again" size={13} />}{w.replay}</button>
      </td>
    </tr>
  );
}

function ReplaySince({ id }: { id: string }) {
  const w = useWords(webhookWords);
  const queries = useQueryClient();
  const [session, setSession] = useState("");
  const [after, setAfter] = useState("0");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const send = async () => {
    if (!session.trim()) return setError(new Error(w.sessionNeeded));
    setBusy(true);
    setError(undefined);
    try {
      await client.replayWebhook(id, { session_id: session.trim(), after: Number(after) || 0 });
      toast(w.sent);
      void queries.invalidateQueries({ queryKey: ["webhooks"] });
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
    }
  };
  return (
    <details className="more-fields">
      <summary>{w.replaySince}</summary>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); void send(); }}>
        <p className="faint">{w.replaySinceAbout}</p>
        <div className="grid-2">
          <TextField label={w.sessionId} mono value={session} onChange={setSession} testId="replay-session" />
          <TextField label={`${w.after} (${w.afterAbout})`} type="number" value={after} onChange={setAfter} />
        </div>
        <ErrorText error={error} />
        <div><button type="submit" className="small" disabled={busy} data-testid="replay-since">{busy && <span className="spinner" aria-hidden="true" />}{w.send}</button></div>
      </form>
    </details>
  );
}
