// What must not be overlooked: the connection is lost, the session stands still, a command was refused.

import { useEffect, useState } from "react";
import { useSession, useStore } from "@/session/hooks";
import { TERMINAL } from "@/session/model";
import { clock, errorText } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { pauseNeeds } from "./budget";
import { sessionWords } from "./words";

export function LinkBanner() {
  const w = useWords(sessionWords);
  const store = useStore();
  const link = useSession((s) => s.link);
  const ended = useSession((s) => TERMINAL.has(s.view.status));
  const seen = useSession((s) => s.view.lastSeq);
  const [now, setNow] = useState(Date.now);
  const [wasAway, setWasAway] = useState(false);
  const [back, setBack] = useState(false);
  const away = link.state === "waiting" || (link.state === "connecting" && link.attempt > 0);

  useEffect(() => {
    if (link.state !== "waiting") return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [link]);
  useEffect(() => {
    if (away) setWasAway(true);
    else if (link.state === "live" && wasAway) {
      setWasAway(false);
      setBack(true);
    }
  }, [link.state, away, wasAway]);
  useEffect(() => {
    if (!back) return;
    const timer = setTimeout(() => setBack(false), 4000);
    return () => clearTimeout(timer);
  }, [back]);

  if (ended && seen > 0) return null;
  if (away) {
    const seconds = link.state === "waiting" ? Math.ceil((link.retryAt - now) / 1000) : 0;
    return (
      <div className="banner" data-tone="warn" role="status" data-testid="reconnecting">
        <span className="spinner" aria-hidden="true" />
        <p><strong>{w.reconnecting}</strong> {w.reconnectingAbout(seen)}</p>
        {link.state === "waiting" && seconds > 1 && (
          <button type="button" onClick={() => store.retryNow()}>{w.tryNow} <span aria-hidden="true">{w.seconds(seconds)}</span></button>
        )}
      </div>
    );
  }
  if (back) return <div className="banner" data-tone="good" role="status" data-testid="reconnected"><Icon name="check" /><p>{w.reconnected}</p></div>;
  return null;
}

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
