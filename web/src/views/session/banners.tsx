// What must not be overlooked: the session stands still, a command was refused. (A lost connection is the shell's.)

import { useSession, useStore } from "@/session/hooks";
import { clock, errorText } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { pauseNeeds } from "./budget";
import { sessionWords } from "./words";

export function StateBanner() {
  const w = useWords(sessionWords);
  const status = useSession((s) => s.view.status);
  const pending = useSession((s) => s.pending);
  if (pending === "pause") {
    return <div className="banner" data-tone="pause" role="status" data-testid="pausing"><span className="spinner" aria-hidden="true" /><p><strong>{w.pausing}</strong> {w.pausingAbout}</p></div>;
  }
  return status === "paused" ? <PausedBanner /> : null;
}

function PausedBanner() {
  const w = useWords(sessionWords);
  const quiesced = useSession((s) => s.view.quiesced);
  const pause = useSession((s) => s.view.pauses.at(-1));
  const seq = useSession((s) => s.view.pausedSeq);
  const reason = useSession((s) => s.view.reason);
  const needs = pauseNeeds(reason);
  const detector = reason?.replace(/^breaker:/, "") ?? "";
  const why = needs === "budget" ? `${w.budgetPaused} ${w.budgetAbout}`
    : needs ? `${w.breakerPaused(w.breakers[detector] ?? detector)} ${w.breakerAbout}`
      : reason ? `${reason}.` : "";
  return (
    <div className="banner paused-band" data-tone="pause" role="status" data-testid="paused">
      <Icon name="pause" />
      <p>
        <strong>{quiesced ? w.quiesced : w.paused}</strong> {why}{" "}
        {pause && !pause.until && <span title={pause.at}>{w.pausedSince(clock(pause.at))}</span>}{" "}
        {seq !== undefined && w.pausedAt(seq)}
      </p>
    </div>
  );
}

export function ProblemBanner() {
  const w = useWords(sessionWords);
  const c = useWords(common);
  const store = useStore();
  const problem = useSession((s) => s.problem);
  if (!problem) return null;
  return (
    <div className="banner" data-tone="bad" role="alert" data-testid="problem">
      <Icon name="warn" />
      <p><strong>{w.could[problem.what]}.</strong> {errorText(problem.error)}</p>
      <button type="button" className="quiet square" aria-label={c.dismiss} onClick={() => store.dismissProblem()}><Icon name="close" size={14} /></button>
    </div>
  );
}
