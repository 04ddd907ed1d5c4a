// Going on in a new session: from a point of this one, from before a node, or from the node that failed.

import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { JsonObject, Session, Workflow } from "@sluice/client";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import { client } from "@/client/http";
import { nodeName, pretty } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Confirm, Dialog } from "@/ui/kit/dialog";
import { Check, TextField } from "@/ui/kit/field";
import { ErrorText } from "@/ui/kit/loaded";
import { toast } from "@/ui/kit/toast";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { replayWords } from "./words";

function objectOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** Leads to the session that was made. */
function useArrive() {
  const w = useWords(replayWords);
  const queries = useQueryClient();
  return (id: string) => {
    void queries.invalidateQueries({ queryKey: ["sessions"] });
    toast(w.forked);
    go(href.session(id));
  };
}

interface Extra { on: boolean; text: string }

function JsonExtra({ label, about, check, value, onChange, testId }: { label: string; about: string; check: string; value: Extra; onChange: (v: Extra) => void; testId: string }) {
  const w = useWords(replayWords);
  return (
    <div className="fork-extra">
      <Check label={check} checked={value.on} onChange={(on) => onChange({ ...value, on })} testId={`${testId}-on`} />
      {value.on && (
        <TextField label={label} about={about} rows={6} mono value={value.text} onChange={(text) => onChange({ ...value, text })} testId={testId}
          error={objectOf(value.text) ? undefined : w.notJson} />
      )}
    </div>
  );
}

interface ForkProps {
  sessionId: string;
  session?: Session;
  workflow?: Workflow;
  /** The event that is looked at; 0 is before the first. */
  seq: number;
  /** The chosen node, if it has run. */
  nodeId?: string;
  onClose: () => void;
}

export function ForkDialog({ sessionId, session, workflow, seq, nodeId, onClose }: ForkProps) {
  const w = useWords(replayWords);
  const c = useWords(common);
  const arrive = useArrive();
  const [from, setFrom] = useState<"seq" | "node">("seq");
  const [input, setInput] = useState<Extra>({ on: false, text: pretty(session?.input ?? {}) });
  const [vars, setVars] = useState<Extra>({ on: false, text: "{}" });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const isValid = [input, vars].every((v) => !v.on || objectOf(v.text));
  const fork = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const made = await client.forkSession(sessionId, {
        // The log begins with the session's start: after it nothing is taken over.
        ...(from === "node" && nodeId ? { node_id: nodeId } : { after_seq: Math.max(1, seq) }),
        ...(input.on ? { input: objectOf(input.text) } : {}),
        ...(vars.on ? { vars: objectOf(vars.text) } : {}),
      });
      onClose();
      arrive(made.session_id);
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={w.forkTitle} wide onClose={onClose}>
      <form className="stack fork" onSubmit={(e) => { e.preventDefault(); void fork(); }} data-testid="fork-form">
        <p>{seq > 1 || from === "node" ? w.forkAbout : w.forkStart}</p>
        {nodeId && (
          <fieldset className="fork-from">
            <legend>{w.forkFrom}</legend>
            <label className="check"><input type="radio" name="from" checked={from === "seq"} onChange={() => setFrom("seq")} />{w.forkAt(seq)}</label>
            <label className="check"><input type="radio" name="from" checked={from === "node"} onChange={() => setFrom("node")} data-testid="fork-node" />{w.forkNode(nodeName(nodeId, workflow?.nodes?.[nodeId]))}</label>
          </fieldset>
        )}
        <JsonExtra label={w.input} about={w.inputAbout} check={w.changeInput} value={input} onChange={setInput} testId="fork-input" />
        <JsonExtra label={w.vars} about={w.inputAbout} check={w.changeVars} value={vars} onChange={setVars} testId="fork-vars" />
        <ErrorText error={error} />
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={busy || !isValid} autoFocus data-testid="fork-go">
            {busy ? <span className="spinner" aria-hidden="true" /> : <Icon name="fork" size={14} />}{w.forking}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Of a session that has failed: begins again where it did. */
export function RetryButton({ session, workflow }: { session: Session; workflow?: Workflow }) {
  const w = useWords(replayWords);
  const may = useMay();
  const arrive = useArrive();
  const [asking, setAsking] = useState(false);
  if (session.status !== "failed") return null;
  const failed = session.error?.node_id;
  const name = failed ? nodeName(failed, workflow?.nodes?.[failed]) : "";
  return (
    <>
      <button type="button" onClick={() => setAsking(true)} disabled={!may("operator")} title={may("operator") ? undefined : w.mayNot} data-testid="retry">
        <Icon name="again" size={14} />{name ? w.retryFrom(name) : w.retry}
      </button>
      {asking && (
        <Confirm title={w.retryTitle(name)} action={w.retry} onClose={() => setAsking(false)}
          onConfirm={async () => arrive((await client.retrySession(session.id, {})).session_id)}>
          <p>{w.retryAbout}</p>
        </Confirm>
      )}
    </>
  );
}
