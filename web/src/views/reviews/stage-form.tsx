// A stage: items to tick off and values to hand over, each kept by the server as soon as it is given.

import { useState } from "react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Stage, StageChange } from "@sluice/client";
import { client } from "@/client/http";
import { draftText, type Deliverable, type Item } from "./asked";
import { Dialog } from "@/ui/kit/dialog";
import { TextField } from "@/ui/kit/field";
import { ErrorText } from "@/ui/kit/loaded";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import type { FormProps } from "./review-form";
import { words } from "./words";

const READ_MS = 4_000;

/** The stage as it is now: somebody else may work on it too. What is ticked here shows at once, not when the server has answered. */
function useStage(id: string, asked: readonly Item[]) {
  const queries = useQueryClient();
  const key = ["stages", id];
  const [ticked, setTicked] = useState<Record<number, boolean>>({});
  const query = useQuery({ queryKey: key, queryFn: ({ signal }) => client.getStage(id, { signal }), refetchInterval: READ_MS });
  const change = useMutation({
    mutationFn: (body: StageChange) => client.updateStage(id, body),
    onMutate: () => queries.cancelQueries({ queryKey: key }), // what is being read is older than the change
    onSuccess: (stage) => queries.setQueryData<Stage>(key, stage),
    onError: () => queries.invalidateQueries({ queryKey: key }),
    onSettled: (_answer, _error, body) => setTicked((was) => without(was, body)),
  });
  const tick = (index: number, done: boolean) => {
    setTicked((was) => ({ ...was, [index]: done }));
    change.mutate({ items: [{ index, done }] });
  };
  const items = (query.data?.items ?? asked).map((item, i) => ({ ...item, done: ticked[i] ?? item.done }));
  return { stage: query.data, items, change, tick };
}

/** The ticks that still wait for their answer, when `answered` has come; one that was changed again meanwhile waits on. */
function without(ticked: Record<number, boolean>, answered: StageChange): Record<number, boolean> {
  const waits = ([index, done]: [string, boolean]) => !answered.items?.some((c) => c.index === Number(index) && c.done === done);
  return Object.fromEntries(Object.entries(ticked).filter(waits));
}

const openParts = (items: readonly Item[], deliverables: readonly Deliverable[], typed: Record<string, string>): string[] => [
  ...items.filter((i) => i.required && !i.done).map((i) => i.name),
  ...deliverables.filter((d) => d.required && !(typed[d.name] ?? draftText(d.value)).trim()).map((d) => d.name),
];

export function StageForm({ asked, locked, sending: { sending, send }, draft: { fields, set } }: FormProps) {
  const w = useWords(words);
  const { stage, items, change, tick } = useStage(asked.id, asked.items);
  const [skipping, setSkipping] = useState(false);
  const [tried, setTried] = useState(false);
  const deliverables = stage?.deliverables ?? asked.deliverables;
  const typed = fields.deliverables ?? {};
  const missing = openParts(items, deliverables, typed);
  const changed = Object.fromEntries(deliverables.flatMap((d) => {
    const text = typed[d.name];
    return text !== undefined && text !== draftText(d.value) ? [[d.name, text]] : [];
  }));
  const hand = () => { if (!locked && Object.keys(changed).length) change.mutate({ deliverables: changed }); };
  const complete = () => {
    setTried(true);
    if (missing.length || locked) return;
    void send("complete", changed, (key) => client.completeStage(asked.id, Object.keys(changed).length ? { deliverables: changed } : {}, { idempotencyKey: key }));
  };
  const done = items.filter((i) => i.done).length;
  const minutes = stage?.estimated_minutes ?? asked.estimatedMinutes;
  const allowSkip = (stage?.allow_skip ?? asked.allowSkip) !== false;
  return (
    <form className="answer-form" data-testid="stage-form" onSubmit={(e) => { e.preventDefault(); complete(); }}>
      {items.length > 0 && (
        <fieldset className="checklist">
          <legend>{w.items} <span className="faint" data-testid="stage-done">{w.done(done, items.length)}</span></legend>
          <progress max={items.length} value={done} aria-label={w.items} />
          {items.map((item, i) => (
            <label key={item.name} className="check">
              <input type="checkbox" checked={item.done} disabled={locked} onChange={(e) => tick(i, e.target.checked)} />
              {item.name}{item.required && <span className="faint">{w.required}</span>}
            </label>
          ))}
        </fieldset>
      )}
      {deliverables.map((d) => (
        <div key={d.name} onBlur={hand}>
          <TextField label={d.name} optional={!d.required} value={typed[d.name] ?? draftText(d.value)} disabled={locked || Boolean(sending)}
            testId={`deliverable-${d.name}`} rows={1} onChange={(v) => set({ deliverables: { ...typed, [d.name]: v } })} />
        </div>
      ))}
      <ErrorText error={change.error} />
      {tried && missing.length > 0 && <p className="field-error" role="alert" data-testid="missing">{w.missing(missing.join(", "))}</p>}
      <div className="answer-actions">
        <button type="submit" className="primary" data-testid="action-complete" disabled={locked || Boolean(sending)}>
          {sending === "complete" && <span className="spinner" aria-hidden="true" />}{w.complete}
        </button>
        <button type="button" data-testid="action-skip" disabled={locked || Boolean(sending) || !allowSkip} title={allowSkip ? undefined : w.skipNo} onClick={() => setSkipping(true)}>{w.skip}</button>
        <span className="faint" role="status">{change.isPending ? w.savingNow : change.isSuccess ? w.savedNow : minutes ? w.estimate(minutes) : ""}</span>
      </div>
      {skipping && (
        <Skip needed={[...items, ...deliverables].some((p) => p.required)} onClose={() => setSkipping(false)}
          onSkip={(reason) => { setSkipping(false); void send("skip", reason, (key) => client.skipStage(asked.id, reason ? { reason } : {}, { idempotencyKey: key })); }} />
      )}
    </form>
  );
}

function Skip({ needed, onSkip, onClose }: { needed: boolean; onSkip: (reason: string) => void; onClose: () => void }) {
  const w = useWords(words);
  const c = useWords(common);
  const [reason, setReason] = useState("");
  return (
    <Dialog title={w.skipTitle} onClose={onClose}>
      <div className="dialog-body">
        <p>{w.skipBody}</p>
        <TextField label={w.skipWhy} optional={!needed} value={reason} onChange={setReason} rows={2} autoFocus testId="skip-reason" />
      </div>
      <div className="dialog-actions">
        <button type="button" onClick={onClose}>{c.cancel}</button>
        <button type="button" className="primary" data-testid="confirm" disabled={needed && !reason.trim()} onClick={() => onSkip(reason.trim())}>{w.skipTitle.replace(/[?？]$/, "")}</button>
      </div>
    </Dialog>
  );
}
