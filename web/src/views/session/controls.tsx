// What can be done to a session that runs, stands still or has ended. A replay offers none of it.

import { useState, type ReactNode } from "react";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import { useSession, useStore } from "@/session/hooks";
import { TERMINAL } from "@/session/model";
import type { Command } from "@/session/store";
import { errorText } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Confirm } from "@/ui/kit/dialog";
import { TextField } from "@/ui/kit/field";
import { Menu } from "@/ui/kit/menu";
import { toast } from "@/ui/kit/toast";
import { useWords } from "@/words/words";
import { RetryButton } from "../replay/fork";
import { pauseNeeds } from "./budget";
import { ResumeDialog } from "./budget-meter";
import { exportSession } from "./details";
import { sessionWords } from "./words";

type Asking = "cancel" | "stop" | "resume";

export function Controls() {
  const known = useSession((s) => s.view.lastSeq > 0);
  const mode = useSession((s) => s.mode);
  const ended = useSession((s) => TERMINAL.has(s.view.status));
  if (!known || mode === "replay") return null;
  return <div className="controls">{ended ? <Afterwards /> : <Commands />}</div>;
}

/** Why no command can be given now, if so. */
function useRefusal(): string | undefined {
  const w = useWords(sessionWords);
  const may = useMay();
  const connected = useSession((s) => s.link.state === "live");
  if (!may("operator")) return w.operatorOnly;
  return connected ? undefined : w.notConnected;
}

function Commands() {
  const w = useWords(sessionWords);
  const store = useStore();
  const status = useSession((s) => s.view.status);
  const reason = useSession((s) => s.view.reason);
  const pending = useSession((s) => s.pending);
  const refusal = useRefusal();
  const [asking, setAsking] = useState<Asking>();
  const busy = pending !== undefined || refusal !== undefined;
  const isPaused = status === "paused" || pending === "resume";
  const toggle = () => {
    if (busy || (!isPaused && status !== "running")) return;
    if (!isPaused) void store.command("pause");
    else if (pauseNeeds(reason)) setAsking("resume");
    else void store.command("resume");
  };
  useShortcuts([
    { keys: "p", what: w.keyPause, run: toggle },
    { keys: ".", what: w.keyCancel, run: () => { if (!busy) setAsking("cancel"); } },
  ]);
  return (
    <>
      {isPaused
        ? <CommandButton does="resume" primary disabled={busy} refusal={refusal} onClick={toggle} />
        : <CommandButton does="pause" disabled={busy || status !== "running"} refusal={refusal} onClick={toggle} />}
      <CommandButton does="cancel" danger disabled={busy} refusal={refusal} onClick={() => setAsking("cancel")} />
      <More>
        <button type="button" className="danger" disabled={busy} title={refusal} onClick={() => setAsking("stop")} data-testid="stop"><Icon name="warn" size={14} />{w.stop}</button>
      </More>
      {asking === "resume" && <ResumeDialog onClose={() => setAsking(undefined)} />}
      {(asking === "cancel" || asking === "stop") && <EndDialog how={asking} onClose={() => setAsking(undefined)} />}
    </>
  );
}

interface ButtonProps { does: Command; disabled: boolean; refusal?: string; primary?: boolean; danger?: boolean; onClick: () => void }

function CommandButton({ does, disabled, refusal, primary, danger, onClick }: ButtonProps) {
  const w = useWords(sessionWords);
  const isPending = useSession((s) => s.pending === does);
  const doing = { pause: w.pausing, resume: w.resuming, cancel: w.cancelling, stop: w.stopping };
  const icons = { pause: "pause", resume: "play", cancel: "stop", stop: "stop" };
  return (
    <button type="button" className={primary ? "primary" : danger ? "danger" : undefined} disabled={disabled} title={refusal} onClick={onClick} data-testid={does}>
      {isPending ? <span className="spinner" aria-hidden="true" /> : <Icon name={icons[does]} size={14} />}
      <span>{isPending ? doing[does] : w[does]}</span>
    </button>
  );
}

function EndDialog({ how, onClose }: { how: "cancel" | "stop"; onClose: () => void }) {
  const w = useWords(sessionWords);
  const store = useStore();
  const [reason, setReason] = useState("");
  const end = () => store.command(how, reason.trim() ? { reason: reason.trim() } : {}, "throw");
  return (
    <Confirm title={how === "cancel" ? w.cancelTitle : w.stopTitle} action={how === "cancel" ? w.cancelDo : w.stopDo} danger keep={w.keep} onConfirm={end} onClose={onClose}>
      <p>{how === "cancel" ? w.cancelAbout : w.stopAbout}</p>
      <TextField label={w.reason} optional value={reason} onChange={setReason} maxLength={500} testId="end-reason" />
    </Confirm>
  );
}

function Afterwards() {
  const w = useWords(sessionWords);
  const id = useStore().sessionId;
  const session = useSession((s) => s.session);
  const workflow = useSession((s) => s.workflow);
  return (
    <>
      {session && <RetryButton session={session} workflow={workflow} />}
      {session?.workflow_id && <a className="button" href={href.workflow(session.workflow_id, id)} data-testid="again"><Icon name="again" size={14} />{w.again}</a>}
      <More />
    </>
  );
}

function More({ children }: { children?: ReactNode }) {
  const w = useWords(sessionWords);
  const id = useStore().sessionId;
  const workflowId = useSession((s) => s.session?.workflow_id);
  useShortcuts([{ keys: "v", what: w.keyReplay, run: () => go(href.replay(id)) }]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      toast(w.linked);
    } catch (err) {
      toast(errorText(err), "bad");
    }
  };
  return (
    <Menu label={w.more} icon="more" testId="session-more">
      <a href={href.replay(id)} data-testid="to-replay"><Icon name="play" size={14} />{w.replay}</a>
      {workflowId && <a href={href.editor(workflowId)}><Icon name="edit" size={14} />{w.editGraph}</a>}
      <button type="button" onClick={() => void copy()}><Icon name="link" size={14} />{w.link}</button>
      <button type="button" onClick={() => void exportSession(id)} data-testid="export"><Icon name="download" size={14} />{w.exportIt}</button>
      {children}
    </Menu>
  );
}
