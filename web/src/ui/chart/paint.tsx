// How a series looks: a colour, and a second sign for those to whom colours say nothing.

import { useId } from "react";

export type Tone = "good" | "bad" | "warm" | "live" | "rest";

const SIGNS: Record<Tone, number> = { good: 0, bad: 1, warm: 2, live: 3, rest: 4 };

export interface Painted { name: string; tone?: Tone }

export const colour = (index: number, tone?: Tone): string => (tone ? `var(--c-${tone})` : `var(--c${index % 6})`);

/** Solid, hatched, dotted, hatched the other way, lined: by tone, or by the place in the list. */
const signOf = (index: number, tone?: Tone): number => (tone ? SIGNS[tone] : index) % 5;

export const dash = (index: number): string | undefined => [undefined, "7 4", "2 4", "9 3 2 3", "4 2"][index % 5];

/** Names of fills that no other picture on the page has. */
export function useFills(): { fill: (i: number) => string; id: (i: number) => string } {
  const own = useId().replace(/[^A-Za-z0-9]/g, "");
  const id = (i: number) => `fill${own}${i}`;
  return { id, fill: (i) => `url(#${id(i)})` };
}

export function Fills({ series, id }: { series: readonly Painted[]; id: (i: number) => string }) {
  return <defs>{series.map((s, i) => <Fill key={i} id={id(i)} colour={colour(i, s.tone)} sign={signOf(i, s.tone)} />)}</defs>;
}

const MARKS = [
  null,
  <path key="m" d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5" />,
  <circle key="m" cx="3" cy="3" r="0.8" />,
  <path key="m" d="M-1 -1L7 7M-1 5L1 7M5 -1L7 1" />,
  <path key="m" d="M0 3H6" />,
];

function Fill({ id, colour: tint, sign }: { id: string; colour: string; sign: number }) {
  return (
    <pattern id={id} width="6" height="6" patternUnits="userSpaceOnUse">
      <rect width="6" height="6" style={{ fill: tint }} />
      {MARKS[sign] && <g style={{ stroke: "var(--surface)", strokeWidth: 1.3, fill: "var(--surface)" }}>{MARKS[sign]}</g>}
    </pattern>
  );
}

export function Swatch({ fill }: { fill: string }) {
  return <svg width="12" height="12" aria-hidden="true"><rect width="12" height="12" rx="2" fill={fill} /></svg>;
}

const POINTS = [
  (x: number, y: number, r: number) => <circle cx={x} cy={y} r={r} />,
  (x: number, y: number, r: number) => <rect x={x - r} y={y - r} width={2 * r} height={2 * r} />,
  (x: number, y: number, r: number) => <path d={`M${x} ${y - r * 1.3}L${x + r * 1.2} ${y + r}L${x - r * 1.2} ${y + r}Z`} />,
  (x: number, y: number, r: number) => <path d={`M${x} ${y - r * 1.4}L${x + r * 1.4} ${y}L${x} ${y + r * 1.4}L${x - r * 1.4} ${y}Z`} />,
];

export function Point({ index, x, y, r = 4, tone }: { index: number; x: number; y: number; r?: number; tone?: Tone }) {
  return <g className="point" style={{ fill: colour(index, tone) }}>{POINTS[index % POINTS.length]!(x, y, r)}</g>;
}

export function LineSwatch({ index, tone }: { index: number; tone?: Tone }) {
  return (
    <svg width="24" height="12" aria-hidden="true">
      <path className="line" d="M1 6H23" style={{ stroke: colour(index, tone) }} strokeDasharray={dash(index)} /><Point index={index} x={12} y={6} r={3} tone={tone} />
    </svg>
  );
}
