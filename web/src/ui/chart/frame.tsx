// What all charts share: their width, the place that is pointed at (mouse or arrow keys), the note beside it, and the
// same figures as a table for who does not see the picture.

import { useCallback, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { dict, useWords } from "@/words/words";
import { moved } from "./scale";
import "./chart.css";

export const chartWords = dict({
  en: { keys: "Arrow keys move", nothing: "There is nothing to show yet.", total: "Total" },
  zh: { keys: "用方向键移动", nothing: "还没有可显示的数据。", total: "合计" },
});

export interface Row { name: string; value: string; swatch?: ReactNode }
export interface Spot { title: string; rows: Row[]; x: number }

interface Props {
  label: string;
  legend?: ReactNode;
  height: number;
  count: number;
  /** What stands at a place, and where that is. */
  spot: (i: number, width: number) => Spot;
  /** The place that is nearest to a pixel. */
  place: (x: number, width: number) => number;
  onPick?: (i: number) => void;
  /** The picture, for a width, with the place that is pointed at. */
  children: (width: number, at: number | undefined) => ReactNode;
  /** Head and rows of the table. */
  table: { head: string[]; rows: string[][] };
  empty?: string;
}

/** The width of what the ref is given to, which may come later than the component. */
function useWidth() {
  const [width, setWidth] = useState(0);
  const watch = useRef<ResizeObserver | null>(null);
  const box = useCallback((el: HTMLDivElement | null) => {
    watch.current?.disconnect();
    watch.current = null;
    if (!el) return;
    watch.current = new ResizeObserver(([entry]) => entry && setWidth(Math.round(entry.contentRect.width)));
    watch.current.observe(el);
    setWidth(Math.round(el.getBoundingClientRect().width));
  }, []);
  return { box, width };
}

export function Frame({ label, legend, height, count, spot, place, onPick, children, table, empty }: Props) {
  const w = useWords(chartWords);
  const { box, width } = useWidth();
  const [at, setAt] = useState<number>();
  const here = at === undefined || count === 0 ? undefined : Math.min(at, count - 1);
  const point = (e: PointerEvent<HTMLDivElement>) => setAt(place(e.clientX - e.currentTarget.getBoundingClientRect().left, width));
  const onKey = (e: KeyboardEvent) => {
    if (e.key === "Escape") return setAt(undefined);
    if (e.key === "Enter" && here !== undefined && onPick) return onPick(here);
    const to = moved(e.key, here ?? count, count);
    if (to === undefined) return;
    e.preventDefault();
    setAt(to);
  };
  const told = here === undefined || !width ? undefined : spot(here, width);
  return (
    <figure className="chart">
      <figcaption>{label}</figcaption>
      {legend && <ul className="chart-legend" aria-hidden="true">{legend}</ul>}
      {count === 0 ? <div className="chart-none" style={{ height }}>{empty ?? w.nothing}</div> : (
        <div ref={box} className="chart-plot" style={{ height }} role="slider" tabIndex={0} aria-label={`${label}. ${w.keys}`} aria-valuemin={1} aria-valuemax={count}
          aria-valuenow={(here ?? count - 1) + 1} aria-valuetext={spoken(spot(here ?? count - 1, width))} onKeyDown={onKey}
          onFocus={(e) => { if (e.currentTarget.matches(":focus-visible")) setAt((v) => v ?? count - 1); }} onBlur={() => setAt(undefined)}
          onPointerMove={point} onPointerDown={point} onPointerLeave={() => setAt(undefined)}
          onClick={() => { if (here !== undefined) onPick?.(here); }}>
          {width > 0 && <svg height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">{children(width, here)}</svg>}
          {told && <Tip spot={told} width={width} />}
        </div>
      )}
      {count > 0 && <Table label={label} {...table} />}
    </figure>
  );
}

const spoken = (spot: Spot) => `${spot.title}: ${spot.rows.map((r) => `${r.name} ${r.value}`).join(", ")}`;

function Tip({ spot, width }: { spot: Spot; width: number }) {
  const left = spot.x < width / 2;
  return (
    <div className="chart-tip" aria-hidden="true" style={left ? { left: spot.x + 12, top: 0 } : { right: width - spot.x + 12, top: 0 }}>
      <strong>{spot.title}</strong>
      <dl>{spot.rows.map((r) => <Line key={r.name} row={r} />)}</dl>
    </div>
  );
}

function Line({ row }: { row: Row }) {
  return <><span>{row.swatch}</span><dt>{row.name}</dt><dd>{row.value}</dd></>;
}

function Table({ label, head, rows }: { label: string; head: string[]; rows: string[][] }) {
  return (
    <div className="sr">
      <table>
        <caption>{label}</caption>
        <thead><tr>{head.map((h) => <th key={h} scope="col">{h}</th>)}</tr></thead>
        <tbody>{rows.map((r, i) => <tr key={i}>{r.map((cell, j) => (j ? <td key={j}>{cell}</td> : <th key={j} scope="row">{cell}</th>))}</tr>)}</tbody>
      </table>
    </div>
  );
}
