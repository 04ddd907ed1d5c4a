// Sums side by side, each made of pieces that stand on each other.

import { chartWords, Frame, type Spot } from "./frame";
import { Fills, Swatch, useFills, type Painted } from "./paint";
import { axis, shownLabels, stack, totals } from "./scale";
import { useWords } from "@/words/words";

export interface BarSeries extends Painted { values: readonly number[] }

interface Props {
  label: string;
  /** What stands below each bar, and the same in full for who points at it. */
  bars: readonly { short: string; full: string }[];
  series: readonly BarSeries[];
  xLabel: string;
  yLabel: string;
  y?: (value: number) => string;
  /** Counted things: no half ticks. */
  whole?: boolean;
  height?: number;
  onPick?: (i: number) => void;
  empty?: string;
}

const M = { left: 52, right: 6, top: 10, bottom: 24 };

export function BarChart({ label, bars, series, xLabel, yLabel, y = String, whole, height = 220, onPick, empty }: Props) {
  const w = useWords(chartWords);
  const fills = useFills();
  const used = series.filter((s) => s.values.some((v) => v > 0));
  const values = used.map((s) => s.values);
  const sums = totals(values, bars.length);
  const ya = axis(0, Math.max(...sums, whole ? 1 : 0), height - M.bottom, M.top, { whole });
  const pieces = stack(values, bars.length);
  const step = (width: number) => (width - M.left - M.right) / Math.max(1, bars.length);
  const middle = (i: number, width: number) => M.left + (i + 0.5) * step(width);
  const spot = (i: number, width: number): Spot => {
    const rows = used.flatMap((s, n) => ((s.values[i] ?? 0) > 0 ? [{ name: s.name, value: y(s.values[i] ?? 0), swatch: <Swatch fill={fills.fill(n)} /> }] : [])).reverse();
    const sum = { name: w.total, value: y(sums[i] ?? 0) };
    return { title: bars[i]?.full ?? "", rows: rows.length === 1 ? rows : [...rows, sum], x: middle(i, width) };
  };
  const place = (px: number, width: number) => Math.min(bars.length - 1, Math.max(0, Math.floor((px - M.left) / step(width))));
  return (
    <Frame label={label} height={height} count={used.length ? bars.length : 0} spot={spot} place={place} onPick={onPick} empty={empty}
      legend={used.length > 1 ? used.map((s, n) => <li key={s.name}><Swatch fill={fills.fill(n)} />{s.name}</li>) : undefined}
      table={{ head: [xLabel, ...used.map((s) => s.name)], rows: bars.map((b, i) => [b.full, ...used.map((s) => y(s.values[i] ?? 0))]) }}>
      {(width, here) => {
        const thick = Math.max(1, Math.min(44, step(width) * 0.72));
        const named = shownLabels(bars.length, width - M.left, 58);
        return (
          <>
            <Fills series={used} id={fills.id} />
            {ya.ticks.map((t) => (
              <g key={t}><line className={t === 0 ? "base" : "grid"} x1={M.left} x2={width - M.right} y1={ya.at(t)} y2={ya.at(t)} /><text x={M.left - 7} y={ya.at(t) + 4} textAnchor="end">{y(t)}</text></g>
            ))}
            <text className="axis-name" transform={`translate(10 ${(M.top + height - M.bottom) / 2}) rotate(-90)`} textAnchor="middle">{yLabel}</text>
            {here !== undefined && <rect className="column" x={M.left + here * step(width)} width={step(width)} y={M.top} height={height - M.bottom - M.top} />}
            {bars.map((b, i) => (
              <g key={b.full}>
                {pieces[i]!.map((p) => (
                  <rect key={p.series} x={middle(i, width) - thick / 2} width={thick} y={ya.at(p.to)} height={Math.max(1, ya.at(p.from) - ya.at(p.to))} fill={fills.fill(p.series)} />
                ))}
                {named.has(i) && <text x={middle(i, width)} y={height - 6} textAnchor="middle">{b.short}</text>}
              </g>
            ))}
          </>
        );
      }}
    </Frame>
  );
}
