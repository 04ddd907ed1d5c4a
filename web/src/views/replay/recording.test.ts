import { describe, expect, it } from "vitest";
import { cpuMs } from "@/test/cpu";
import type { SessionEvent } from "@sluice/client";
import { emptyView } from "@/session/model";
import { reduce } from "@/session/reduce";
import { countByKind, ticks } from "./marks";
import { IDLE_MS, Pace, playClock } from "./pace";
import { Recording } from "./recording";
import { richLog } from "./rich-log";

describe("a recording", () => {
  const log = richLog(7, 700);

  it("shows at every number what the live view showed there, in whatever order it is asked", () => {
    const recording = new Recording("s");
    for (let i = 0; i < log.length; i += 93) recording.append(log.slice(i, i + 93));
    const live = [emptyView("s")];
    for (const event of log) live.push(reduce(live[live.length - 1]!, [event]));
    const positions = [...live.keys()];
    for (const p of positions) expect(recording.at(p)).toEqual(live[p]);
    for (const p of positions.reverse()) expect(recording.at(p)).toEqual(live[p]);
    for (let i = 0, p = 1; i < 400; i++, p = (p * 7919) % live.length) expect(recording.at(p)).toEqual(live[p]);
  });

  it("never changes a view that it has given", () => {
    const recording = new Recording("s");
    recording.append(log.slice(0, 400));
    const given = recording.at(300);
    const copy = structuredClone(given);
    recording.append(log.slice(400));
    recording.at(log.length);
    recording.at(301);
    expect(given).toEqual(copy);
  });

  it("keeps what did not change while it goes forward", () => {
    const recording = new Recording("s");
    recording.append(log);
    const before = recording.at(500);
    const after = recording.at(501);
    const same = Object.keys(before.runs).filter((id) => before.runs[id] === after.runs[id]);
    expect(same.length).toBeGreaterThanOrEqual(Object.keys(before.runs).length - 1);
  });

  it("finds numbers and marks, and counts what is missing", () => {
    const recording = new Recording("s");
    const folded = log.filter((e) => e.type !== "token_stream");
    recording.append(folded);
    expect(recording.gaps).toBe(folded[folded.length - 1]!.seq - folded.length);
    for (const [i, e] of folded.entries()) expect(recording.positionOf(e.seq)).toBe(i + 1);
    expect(recording.positionOf(0)).toBe(0);
    const first = recording.markFrom(0, 1, new Set(["round"]))!;
    expect(recording.events[first.index - 1]?.type).toBe("loop_round");
    expect(recording.markFrom(first.index, -1, new Set(["round"]))).toBeUndefined();
    const next = recording.markFrom(first.index, 1, new Set(["round"]))!;
    expect(next.index).toBeGreaterThan(first.index);
    expect(recording.markFrom(next.index, -1, new Set(["round"]))).toEqual(first);
  });

  it("ignores what it has", () => {
    const recording = new Recording("s");
    recording.append(log.slice(0, 10));
    recording.append(log.slice(5, 12));
    expect(recording.length).toBe(12);
    expect(recording.gaps).toBe(0);
  });

  it("goes anywhere in 10,000 events within a frame", () => {
    const recording = new Recording("s");
    recording.append(richLog(3, 10_000));
    const started = cpuMs();
    for (let i = 0, p = 1; i < 200; i++, p = (p * 7919) % 10_000) recording.at(p);
    expect((cpuMs() - started) / 200).toBeLessThan(16);
  });
});

describe("pace", () => {
  const at = (...seconds: number[]) => seconds.map((s, i) => ({ seq: i + 1, timestamp: new Date(s * 1000).toISOString() }) as SessionEvent);

  it("counts from the first event and never back", () => {
    const pace = new Pace();
    pace.append(at(100, 101, 100.5));
    pace.append(at(103));
    expect(pace.real).toEqual([0, 0, 1000, 1000, 3000]);
  });
  it("leaves idle time out", () => {
    const pace = new Pace();
    pace.append(at(0, 1, 3600, 3600.5));
    expect(pace.short).toEqual([0, 0, 1000, 1000 + IDLE_MS, 1500 + IDLE_MS]);
  });
  it("finds the position of a moment", () => {
    const axis = [0, 0, 10, 10, 30];
    expect([-5, 0, 9, 10, 29, 30, 99].map((ms) => Pace.positionAt(axis, ms))).toEqual([0, 1, 1, 3, 3, 4, 4]);
  });
  it("writes times as players do", () => {
    expect([0, 7_400, 751_000, 3_725_000].map(playClock)).toEqual(["0:00", "0:07", "12:31", "1:02:05"]);
  });
});

describe("ticks", () => {
  it("keeps what says most where several would stand", () => {
    const marks = [{ kind: "node", index: 1 }, { kind: "error", index: 2 }, { kind: "node", index: 3 }, { kind: "round", index: 90 }] as const;
    expect(ticks(marks, (p) => p / 100, 10).map((t) => [t.kind, t.index])).toEqual([["error", 2], ["round", 90]]);
    expect(countByKind(marks)).toEqual([["error", 1], ["round", 1], ["node", 2]]);
  });
});
