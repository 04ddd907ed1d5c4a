// Values along rounds or along time.

import { line } from "d3-shape";
import { Frame, type Spot } from "./frame";
import { colour, dash, LineSwatch, Point, type Tone } from "./paint";
import { axis, extent, nearest, plainAxis } from "./scale";

export interface LineSeries { name: string; points: readonly (readonly [x: number, y: number])[]; tone?: Tone }

interface Props {
  /** What the chart shows: its caption, and its name for screen readers. */
  label: string;
  series: readonly LineSeries[];
  xLabel: string;
  yLabel: string;
  /** How values are written. */
  x?: (value: number) => string;
  y?: (value: number) => string;
  /** The x axis counts rounds: no halves. */
  whole?: boolean;
  threshold?: { value: number; label: string };
  /** Ends of the y axis; without them, those of the values. */
  yFrom?: number;
  yTo?: number;
  height?: number;
  /** A place was clicked, or Enter pressed on it: its x. */
  onPick?: (x: number) => void;
  empty?: string;
}

const M = { left: 46, right: 14, top: 10, bottom: 38 };
const plain = (v: number) => String(Math.round(v * 1000) / 1000);

export function LineChart({ label, series, xLabel, yLabel, x = plain, y = plain, whole = false, threshold, yFrom, yTo, height = 220, onPick, empty }: Props) {
  const xs = [...new Set(series.flatMap((s) => s.points.map((p) => p[0])))].sort((a, b) => a - b);
  const ys = series.flatMap((s) => s.points.map((p) => p[1]));
  const [low, high] = extent(threshold ? [...ys, threshold.value] : ys);
  const [first, last] = extent(xs);
  const xAxis = (width: number) => plainAxis(first, last, M.left, width - M.right, whole);
  const yAxis = axis(yFrom ?? low, yTo ?? high, height - M.bottom, M.top);
  const valueAt = (s: LineSeries, at: number) => s.points.find((p) => p[0] === at)?.[1];
  const spot = (i: number, width: number): Spot => {
    const at = xs[i] ?? 0;
    const rows = series.flatMap((s, n) => {
      const value = valueAt(s, at);
      return value === undefined ? [] : [{ name: s.name, value: y(value), swatch: <LineSwatch index={n} tone={s.tone} /> }];
    });
    return { title: `${xLabel} ${x(at)}`, rows, x: xAxis(width).at(at) };
  };
  return (
    <Frame label={label} height={height} count={xs.length} spot={spot} empty={empty}
      place={(px, width) => nearest(xs.map(xAxis(width).at), px)} onPick={onPick && ((i) => onPick(xs[i] ?? 0))}
      legend={series.length > 1 ? series.map((s, n) => <li key={s.name}><LineSwatch index={n} tone={s.tone} />{s.name}</li>) : undefined}
      table={{ head: [xLabel, ...series.map((s) => s.name)], rows: xs.map((at) => [x(at), ...series.map((s) => written(valueAt(s, at), y))]) }}>
      {(width, here) => {
        const xa = xAxis(width);
        const draw = line<readonly [number, number]>().x((p) => xa.at(p[0])).y((p) => yAxis.at(p[1]));
        return (
          <>
            {yAxis.ticks.map((t) => (
              <g key={t}><line className="grid" x1={M.left} x2={width - M.right} y1={yAxis.at(t)} y2={yAxis.at(t)} /><text x={M.left - 7} y={yAxis.at(t) + 4} textAnchor="end">{y(t)}</text></g>
            ))}
            {xa.ticks.map((t) => <text key={t} x={xa.at(t)} y={height - M.bottom + 16} textAnchor="middle">{x(t)}</text>)}
            <text className="axis-name" x={(M.left + width - M.right) / 2} y={height - 4} textAnchor="middle">{xLabel}</text>
            <text className="axis-name" transform={`translate(11 ${(M.top + height - M.bottom) / 2}) rotate(-90)`} textAnchor="middle">{yLabel}</text>
            {here !== undefined && <line className="cursor" x1={xa.at(xs[here]!)} x2={xa.at(xs[here]!)} y1={M.top} y2={height - M.bottom} />}
            {threshold && (
              <g>
                <line className="threshold" x1={M.left} x2={width - M.right} y1={yAxis.at(threshold.value)} y2={yAxis.at(threshold.value)} />
                <text className="threshold-name" x={M.left + 6} y={yAxis.at(threshold.value) - 5}>{threshold.label}</text>
              </g>
            )}
            {series.map((s, n) => (
              <g key={s.name}>
                <path className="line" d={draw([...s.points]) ?? ""} style={{ stroke: colour(n, s.tone) }} strokeDasharray={dash(n)} />
                {s.points.map((p) => {
                  const shown = s.points.length <= 40 || xs[here ?? -1] === p[0];
                  return shown && <Point key={p[0]} index={n} tone={s.tone} x={xa.at(p[0])} y={yAxis.at(p[1])} r={xs[here ?? -1] === p[0] ? 5 : 3.5} />;
                })}
              </g>
            ))}
          </>
        );
      }}
    </Frame>
  );
}

const written = (value: number | undefined, y: (v: number) => string) => (value === undefined ? "" : y(value));
