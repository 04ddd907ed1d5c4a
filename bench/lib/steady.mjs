// Whether something stays as it is over time: a straight line by least squares, with how sure it is, and
// the last third of a run beside its first.
import { median } from './table.mjs';

// Two-sided 95 % of Student's t.
const STUDENT = [0, 12.7, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.1, 2.09, 2.09];
const student = (freedom) => STUDENT[freedom] ?? (freedom < 60 ? 2.04 : 1.98);
const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;

/**
 * Means of up to `count` equal parts: samples soon after each other are no independent witnesses, and would
 * make a slope look surer than it is.
 */
export function blocks(points, count = 20) {
  const size = Math.max(1, Math.floor(points.length / count));
  const out = [];
  for (let i = 0; i + size <= points.length; i += size) {
    const part = points.slice(i, i + size);
    out.push([mean(part.map((p) => p[0])), mean(part.map((p) => p[1]))]);
  }
  return out;
}

/** points: [time, value]. What a unit of time adds, and between what it is with 95 % certainty. */
export function slope(points) {
  if (points.length < 4) throw new Error(`${points.length} points make no line`);
  const x0 = mean(points.map((p) => p[0])), y0 = mean(points.map((p) => p[1]));
  const xx = points.reduce((a, [x]) => a + (x - x0) ** 2, 0);
  const each = points.reduce((a, [x, y]) => a + (x - x0) * (y - y0), 0) / xx;
  const rest = points.reduce((a, [x, y]) => a + (y - y0 - each * (x - x0)) ** 2, 0);
  const off = student(points.length - 2) * Math.sqrt(rest / (points.length - 2) / xx);
  return { each, low: each - off, high: each + off, mean: y0 };
}

/**
 * Memory over time (seconds): grows when it surely does (all of the interval is above zero) and by more than
 * `part` of its mean within the time that was measured. Gives bytes an hour and a sentence.
 */
export function memoryGrowth(samples, part) {
  const s = slope(blocks(samples));
  const took = samples[samples.length - 1][0] - samples[0][0];
  const kb = (perSecond) => Math.round(perSecond * 3600 / 1000);
  const grows = s.low > 0 && s.each * took > part * s.mean;
  return {
    grows, bytes_per_hour: s.each * 3600, low: s.low * 3600, high: s.high * 3600, mean: s.mean,
    says: `${(s.mean / 1e6).toFixed(1)} MB, ${kb(s.each)} kB an hour (95 %: ${kb(s.low)} to ${kb(s.high)})`,
  };
}

/** The median of the last third beside that of the first: worse by more than `times` and `slack`? */
export function thirds(values, times, slack) {
  const n = Math.floor(values.length / 3);
  if (n === 0) throw new Error(`${values.length} values have no thirds`);
  const first = median(values.slice(0, n)), last = median(values.slice(-n));
  return { first, last, worse: last > first * times + slack };
}
