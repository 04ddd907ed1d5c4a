// The timeline: a row for each run, time to the right. Bars of what runs grow by one custom property that a timer moves,
// so nothing is rendered for it; rows out of sight are not there.

import { useCallback, useEffect, useMemo, useRef, useState, type CSSProperties, type KeyboardEvent, type RefObject } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useSession } from "@/session/hooks";
import { clock, duration, nodeName, shortDuration } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Empty } from "@/ui/kit/page";
import { StatusDot, statusWord } from "@/ui/status";
import { useWords } from "@/words/words";
import { selectNode } from "./select";
import { scaleOf, spent, ticksOf, type Scale, type TimelineRow } from "./timeline";
import { useTimeline, type TimelineData } from "./timeline-data";
import { TimelineTable } from "./timeline-table";
import { timelineWords } from "./timeline-words";
import "./timeline.css";

const IDLE_KEY = "sluice.timeline.idle";
const ROW_PX = 30;
const GROW_MS = 200;
const ZOOMS = [1, 2, 4, 8, 16, 32];

export function Timeline() {
  const w = useWords(timelineWords);
  const data = useTimeline();
  const [zoom, setZoom] = useState(0);
  const [fold, setFold] = useState(() => localStorage.getItem(IDLE_KEY) !== "0");
  const [asTable, setAsTable] = useState(false);
  const keepFold = (on: boolean) => {
    setFold(on);
    localStorage.setItem(IDLE_KEY, on ? "1" : "0");
  };
  if (data.rows.length === 0) return <div className="tab-scroll"><Empty title={w.empty}><p>{w.emptyAbout}</p></Empty></div>;
  return (
    <div className="timeline" data-testid="timeline">
      <div className="timeline-bar">
        <Summary data={data} />
        <label className="check"><input type="checkbox" checked={fold} onChange={(e) => keepFold(e.target.checked)} data-testid="timeline-fold" />{w.hideIdle}</label>
        {!asTable && <Zoom level={zoom} onLevel={setZoom} />}
        <div className="tabs" role="group" aria-label={w.as}>
          <button type="button" aria-pressed={!asTable} onClick={() => setAsTable(false)}>{w.chart}</button>
          <button type="button" aria-pressed={asTable} onClick={() => setAsTable(true)} data-testid="timeline-as-table">{w.table}</button>
        </div>
      </div>
      {data.isPartial && <p className="faint timeline-note">{w.rest}</p>}
      {asTable ? <TimelineTable data={data} /> : <Chart data={data} zoom={ZOOMS[zoom] ?? 1} fold={fold} />}
    </div>
  );
}

function Summary({ data }: { data: TimelineData }) {
  const w = useWords(timelineWords);
  const first = data.rows[0]?.from ?? data.now;
  const last = data.isLive ? data.now : data.rows.reduce((most, r) => Math.max(most, r.to ?? data.now), first);
  const paused = data.pauses.reduce((sum, p) => sum + Math.max(0, (p.to ?? data.now) - p.from), 0);
  return <p className="timeline-summary" data-testid="timeline-summary">{[w.summary(data.rows.length, shortDuration(last - first)), paused > 0 && w.paused(duration(paused))].filter(Boolean).join(" · ")}</p>;
}

function Zoom({ level, onLevel }: { level: number; onLevel: (level: number) => void }) {
  const w = useWords(timelineWords);
  return (
    <div className="timeline-zoom">
      <button type="button" className="quiet square small" aria-label={w.zoomOut} disabled={level === 0} onClick={() => onLevel(level - 1)}><Icon name="minus" size={14} /></button>
      <button type="button" className="quiet square small" aria-label={w.zoomIn} disabled={level === ZOOMS.length - 1} onClick={() => onLevel(level + 1)} data-testid="timeline-zoom-in"><Icon name="plus" size={14} /></button>
      <button type="button" className="quiet square small" aria-label={w.fit} disabled={level === 0} onClick={() => onLevel(0)}><Icon name="fit" size={14} /></button>
    </div>
  );
}

/** Moves the right end of what runs; React is not asked. */
function useGrowth(box: RefObject<HTMLElement | null>, scale: Scale, data: TimelineData): void {
  const isMoving = useSession((s) => s.mode === "live" && s.view.status === "running" && s.link.state === "live");
  useEffect(() => {
    const set = () => box.current?.style.setProperty("--now", String(Math.min(1, scale.at(isMoving ? Date.now() : data.now))));
    set();
    if (!isMoving) return;
    const timer = setInterval(set, GROW_MS);
    return () => clearInterval(timer);
  }, [box, scale, isMoving, data.now]);
}

function Chart({ data, zoom, fold }: { data: TimelineData; zoom: number; fold: boolean }) {
  const w = useWords(timelineWords);
  const { rows, pauses, now, isLive } = data;
  const scale = useMemo(() => scaleOf({ rows, pauses, now, isLive, fold }), [rows, pauses, now, isLive, fold]);
  const ticks = useMemo(() => ticksOf(scale, 5 * zoom), [scale, zoom]);
  const box = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const [told, setTold] = useState<number>();
  useGrowth(box, scale, data);
  const list = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => ROW_PX, overscan: 12 });
  const go = useCallback((to: number) => {
    setActive(to);
    list.scrollToIndex(to);
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-row="${to}"]`)?.focus());
  }, [list]);
  const onKey = (e: KeyboardEvent) => {
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: rows.length - 1, PageDown: active + 10, PageUp: active - 10 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    go(Math.max(0, Math.min(rows.length - 1, to)));
  };
  const current = told !== undefined ? rows[told] : undefined;
  return (
    <>
      <div className="timeline-scroll" ref={box} style={{ "--zoom": zoom } as CSSProperties}>
        <div className="timeline-inner">
          <div className="timeline-axis" aria-hidden="true">
            <div className="timeline-track">{ticks.map((t) => <span key={t.ms} className="timeline-tick" style={{ left: `${t.at * 100}%` }}>{t.ms < 1000 && t.ms > 0 ? shortDuration(t.ms) : duration(t.ms)}</span>)}</div>
          </div>
          <div className="timeline-rows" style={{ height: list.getTotalSize() }}>
            <Ground scale={scale} data={data} ticks={ticks.map((t) => t.at)} />
            <ul aria-label={w.label} onKeyDown={onKey} onPointerLeave={() => setTold(undefined)}>
              {list.getVirtualItems().map((v) => {
                const row = rows[v.index];
                return row && (
                  <Row key={row.runId} row={row} index={v.index} total={rows.length} top={v.start} scale={scale} isActive={v.index === active} now={now}
                    onTell={setTold} onFocus={setActive} />
                );
              })}
            </ul>
          </div>
        </div>
      </div>
      <Foot row={current} now={now} />
    </>
  );
}

/** Behind the rows: marks, pauses, and where time was left out. */
function Ground({ scale, data, ticks }: { scale: Scale; data: TimelineData; ticks: number[] }) {
  const w = useWords(timelineWords);
  return (
    <div className="timeline-ground" aria-hidden="true"><div className="timeline-track">
      {ticks.map((at) => <i key={at} className="timeline-line" style={{ left: `${at * 100}%` }} />)}
      {data.pauses.map((p) => {
        const [a, b] = [scale.at(p.from), scale.at(p.to ?? data.now)];
        return <i key={p.from} className="timeline-pause" title={w.pausedFor(duration((p.to ?? data.now) - p.from))} style={{ left: `${a * 100}%`, width: `${Math.max(0, b - a) * 100}%` }} />;
      })}
      {scale.spans.filter((s) => s.isFold).map((s) => (
        <i key={s.from} className="timeline-fold" title={w.idleFor(duration(s.to - s.from))} style={{ left: `${s.at * 100}%`, width: `${(s.until - s.at) * 100}%` }}><span>{duration(s.to - s.from)}</span></i>
      ))}
    </div></div>
  );
}

/** A run in a sentence, for whoever hears it. */
function useTelling() {
  const w = useWords(timelineWords);
  const workflow = useSession((s) => s.workflow);
  const isPaused = useSession((s) => s.view.status === "paused");
  return (row: TimelineRow, now: number) => {
    const { tookMs, waitedMs } = spent(row, now);
    const name = nodeName(row.nodeId, workflow?.nodes?.[row.nodeId]);
    const parts = [
      row.runs > 1 && w.runName(row.iteration, row.attempt), row.item !== undefined && w.item(row.item), statusWord(isPaused && row.status === "running" ? "paused" : row.status), w.at(clock(row.from)),
      row.to === undefined ? w.since(shortDuration(tookMs)) : w.tookFor(shortDuration(tookMs)), waitedMs > 0 && w.waitedFor(shortDuration(waitedMs)), row.failure && w.failed(row.failure),
    ];
    return { name, text: parts.filter(Boolean).join(", ") };
  };
}

interface RowProps {
  row: TimelineRow; index: number; total: number; top: number; scale: Scale; isActive: boolean; now: number;
  onTell: (index: number) => void; onFocus: (index: number) => void;
}

function Row({ row, index, total, top, scale, isActive, now, onTell, onFocus }: RowProps) {
  const w = useWords(timelineWords);
  const tell = useTelling();
  const kind = useSession((s) => s.workflow?.nodes?.[row.nodeId]?.type);
  const { name, text } = tell(row, now);
  const label = row.item !== undefined ? w.item(row.item) : row.attempt > 1 || row.runs > 1 ? w.runName(row.iteration, row.attempt) : "";
  return (
    <li style={{ transform: `translateY(${top}px)` }} aria-setsize={total} aria-posinset={index + 1} data-head={row.isHead || undefined}>
      <button type="button" className="timeline-row" data-row={index} tabIndex={isActive ? 0 : -1} data-testid={`timeline-${row.nodeId}`}
        data-status={row.status} onClick={() => selectNode(row.nodeId, row.runId)} onPointerEnter={() => onTell(index)} onFocus={() => { onFocus(index); onTell(index); }}>
        <span className="sr">{name}, {text}</span>
        <span className="timeline-name" aria-hidden="true">
          {row.isHead && <><Icon name={kind ?? "node"} size={14} /><span className="timeline-node">{name}</span></>}
          {label && <span className="timeline-run">{label}</span>}
          <Took row={row} />
        </span>
        <span className="timeline-track" aria-hidden="true"><Bar row={row} scale={scale} now={now} /></span>
      </button>
    </li>
  );
}

function Took({ row }: { row: TimelineRow }) {
  const isPaused = useSession((s) => s.view.status === "paused");
  if (row.to !== undefined) return <span className="timeline-took">{shortDuration(row.to - row.from)}</span>;
  return <span className="timeline-took"><StatusDot status={isPaused ? "paused" : row.status} /></span>;
}

function Bar({ row, scale, now }: { row: TimelineRow; scale: Scale; now: number }) {
  const from = scale.at(row.from);
  const growing = (at: number): CSSProperties => ({ left: `${at * 100}%`, width: `calc((var(--now) - ${at}) * 100%)` });
  const fixed = (at: number, until: number): CSSProperties => ({ left: `${at * 100}%`, width: `${Math.max(0, until - at) * 100}%` });
  return (
    <>
      <i className="timeline-bar-run" data-status={row.status} style={row.to === undefined ? growing(from) : fixed(from, scale.at(row.to))} />
      {row.waits.map((wait) => {
        const at = scale.at(wait.from);
        return <i key={wait.from} className="timeline-bar-wait" style={wait.to === undefined && row.to === undefined ? growing(at) : fixed(at, scale.at(wait.to ?? row.to ?? now))} />;
      })}
    </>
  );
}

/** What is pointed at, in words; it has its place always, so nothing moves. */
function Foot({ row, now }: { row?: TimelineRow; now: number }) {
  const w = useWords(timelineWords);
  const tell = useTelling();
  const said = row && tell(row, now);
  return (
    <div className="timeline-foot">
      <p data-testid="timeline-told">{said ? <><strong>{said.name}</strong> {said.text}</> : <span className="faint">{w.hint}</span>}</p>
      <ul className="timeline-legend" aria-label={w.legend}>
        <li><i className="timeline-bar-run" />{w.legendRun}</li>
        <li><i className="timeline-bar-wait" />{w.legendWait}</li>
        <li><i className="timeline-bar-run" data-status="failed" />{w.legendFailed}</li>
        <li><i className="timeline-pause" />{w.legendPause}</li>
      </ul>
    </div>
  );
}
