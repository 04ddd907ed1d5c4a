// The controls of a replay: a slider with what happened on it, play and pause, steps, speed.

import { memo, useMemo, type KeyboardEvent } from "react";
import { useShortcuts } from "@/app/shortcuts";
import { useSession } from "@/session/hooks";
import { clock } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { useReplay, useReplayStore } from "./hooks";
import { countByKind, ticks } from "./marks";
import { playClock, SPEEDS } from "./pace";
import type { MarkKind } from "./recording";
import { replayWords } from "./words";

export type Scale = "time" | "events";

const SLOTS = 220;
const NODE: ReadonlySet<MarkKind> = new Set(["node", "error"]);
const SHAPES: Record<MarkKind, string> = { node: "M-0.800 -4h1.600v8h-1.600z", round: "M0 -4a4 4 0 1 0 .01 0z", pause: "M-3.500 -4h2.500v8h-2.500zM1 -4h2.500v8h-2.500z", review: "M0 -5L5 0 0 5-5 0z", error: "M-4 4L0 -4.500 4 4z" };

export function MarkShape({ kind }: { kind: MarkKind }) {
  return <svg className="mark-shape" data-kind={kind} width="10" height="10" viewBox="-5 -5 10 10" aria-hidden="true"><path d={SHAPES[kind]} /></svg>;
}

const Marks = memo(function Marks({ scale, length, skipIdle }: { scale: Scale; length: number; skipIdle: boolean }) {
  const store = useReplayStore();
  const all = useMemo(() => {
    const axis = skipIdle ? store.pace.short : store.pace.real;
    const end = axis[length] || 1;
    return ticks(store.recording.marks, scale === "time" ? (p) => (axis[p] ?? 0) / end : (p) => p / (length || 1), SLOTS);
  }, [store, scale, length, skipIdle]);
  return (
    <div className="replay-marks" aria-hidden="true">
      {all.map((t) => <span key={t.index} data-kind={t.kind} style={{ left: `${t.at * 100}%` }}><MarkShape kind={t.kind} /></span>)}
    </div>
  );
});

function Slider({ scale, onKey }: { scale: Scale; onKey: (e: KeyboardEvent) => void }) {
  const w = useWords(replayWords);
  const store = useReplayStore();
  const position = useReplay((s) => s.position);
  const length = useReplay((s) => s.length);
  const skipIdle = useReplay((s) => s.skipIdle);
  const ready = useReplay((s) => s.ready);
  const axis = skipIdle ? store.pace.short : store.pace.real;
  const end = scale === "time" ? Math.max(1, axis[length] ?? 1) : length;
  const value = scale === "time" ? axis[position] ?? 0 : position;
  const move = (to: number) => {
    store.pause();
    if (scale === "events") return store.seek(to);
    // The nearest event, not the one before: the end can be reached.
    store.seekTime(to);
  };
  return (
    <div className="replay-slider">
      <Marks scale={scale} length={length} skipIdle={skipIdle} />
      <input type="range" min={0} max={end} step="any" value={value} disabled={!ready} aria-label={w.position} data-testid="scrub"
        aria-valuetext={position ? `${w.event(position, length)}, ${playClock(store.pace.real[position] ?? 0)}` : w.before}
        style={{ "--done": `${(value / (end || 1)) * 100}%` } as React.CSSProperties}
        onKeyDown={onKey} onChange={(e) => move(Number(e.target.value))} />
    </div>
  );
}

function useKeys() {
  const w = useWords(replayWords);
  const store = useReplayStore();
  const playing = useReplay((s) => s.playing);
  const list = [
    { keys: " ", what: playing ? w.pause : w.play, run: () => (playing ? store.pause() : store.play()) },
    { keys: "ArrowRight", what: w.next, run: () => store.step(1) },
    { keys: "ArrowLeft", what: w.previous, run: () => store.step(-1) },
    { keys: "shift+ArrowRight", what: w.nextNode, run: () => store.toMark(1, NODE) },
    { keys: "shift+ArrowLeft", what: w.previousNode, run: () => store.toMark(-1, NODE) },
    { keys: "Home", what: w.toStart, run: () => { store.pause(); store.seek(0); } },
    { keys: "End", what: w.toEnd, run: () => { store.pause(); store.seek(store.recording.length); } },
  ];
  useShortcuts(list);
  // The slider is a field, and its own keys would move it by a hundredth.
  return (e: KeyboardEvent) => {
    const key = e.shiftKey && e.key.length > 1 ? `shift+${e.key}` : e.key;
    const hit = list.find((s) => s.keys === key);
    if (!hit) return;
    e.preventDefault();
    hit.run();
  };
}

function Step({ icon, label, onClick, disabled, testId }: { icon: string; label: string; onClick: () => void; disabled: boolean; testId?: string }) {
  return <button type="button" className="quiet square" aria-label={label} title={label} disabled={disabled} onClick={onClick} data-testid={testId}><Icon name={icon} /></button>;
}

function Steps() {
  const w = useWords(replayWords);
  const store = useReplayStore();
  const ready = useReplay((s) => s.ready && s.length > 0);
  const playing = useReplay((s) => s.playing);
  const atStart = useReplay((s) => s.position === 0);
  const atEnd = useReplay((s) => s.position >= s.length);
  return (
    <div className="replay-steps">
      <Step icon="skip-back" label={w.previousNode} disabled={!ready || atStart} onClick={() => store.toMark(-1, NODE)} />
      <Step icon="step-back" label={w.previous} disabled={!ready || atStart} onClick={() => store.step(-1)} testId="step-back" />
      <button type="button" className="primary replay-play" disabled={!ready} onClick={() => (playing ? store.pause() : store.play())} data-testid="play" aria-pressed={playing}>
        <Icon name={playing ? "pause" : "play"} size={14} />{playing ? w.pause : w.play}
      </button>
      <Step icon="step-on" label={w.next} disabled={!ready || atEnd} onClick={() => store.step(1)} testId="step" />
      <Step icon="skip-on" label={w.nextNode} disabled={!ready || atEnd} onClick={() => store.toMark(1, NODE)} testId="next-node" />
    </div>
  );
}

function Where() {
  const w = useWords(replayWords);
  const store = useReplayStore();
  const position = useReplay((s) => s.position);
  const length = useReplay((s) => s.length);
  const skipIdle = useReplay((s) => s.skipIdle);
  const seq = useSession((s) => s.view.lastSeq);
  const axis = store.pace.real;
  const event = store.recording.events[position - 1];
  return (
    <p className="replay-where" data-testid="where" data-seq={seq} data-idle={skipIdle || undefined}>
      <strong>{playClock(axis[position] ?? 0)}</strong> / {playClock(axis[length] ?? 0)}
      <span className="faint"> · {position ? w.event(position, length) : w.before}{event && ` · ${clock(event.timestamp)}`}</span>
    </p>
  );
}

function Legend() {
  const w = useWords(replayWords);
  const store = useReplayStore();
  const length = useReplay((s) => s.length);
  const counts = useMemo(() => (length ? countByKind(store.recording.marks) : []), [store, length]);
  return (
    <div className="replay-legend">
      {counts.map(([kind, n]) => (
        <button key={kind} type="button" className="quiet small" aria-label={w.toMark(w.marks[kind] ?? kind, n)} title={w.toMark(w.marks[kind] ?? kind, n)}
          onClick={() => store.toMark(1, new Set([kind]))} data-testid={`mark-${kind}`}>
          <MarkShape kind={kind} />{w.marks[kind]} <span className="faint">{n}</span>
        </button>
      ))}
    </div>
  );
}

export function Transport({ scale, onScale }: { scale: Scale; onScale: (scale: Scale) => void }) {
  const w = useWords(replayWords);
  const store = useReplayStore();
  const speed = useReplay((s) => s.speed);
  const skipIdle = useReplay((s) => s.skipIdle);
  const onKey = useKeys();
  return (
    <section className="transport" aria-label={w.controls} data-testid="transport">
      <Slider scale={scale} onKey={onKey} />
      <div className="transport-row">
        <Steps />
        <Where />
        <div className="transport-options">
          <label>{w.speed}
            <select value={speed} onChange={(e) => store.setSpeed(Number(e.target.value))} data-testid="speed">
              {SPEEDS.map((s) => <option key={s} value={s}>{s}×</option>)}
            </select>
          </label>
          <label>{w.by}
            <select value={scale} onChange={(e) => onScale(e.target.value as Scale)}>
              <option value="time">{w.byTime}</option><option value="events">{w.byEvents}</option>
            </select>
          </label>
          <label className="check"><input type="checkbox" checked={skipIdle} onChange={(e) => store.setSkipIdle(e.target.checked)} />{w.skip}</label>
        </div>
      </div>
      <Legend />
    </section>
  );
}
