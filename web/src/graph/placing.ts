// Asks the worker for layouts, and keeps them by what the graph is: a workflow that was seen once is there at once.

import { useEffect, useMemo, useState } from "react";
import type { Workflow } from "@sluice/client";
import type { Placed } from "./layout";
import type { LayoutReply, LayoutRequest } from "./layout-protocol";
import { placeColumn } from "./shape";

const KEPT_MAX = 40;
// Most layouts are there sooner, and a column that is shown before would only flicker.
const PATIENCE_MS = 250;

/** The side of a Worker that is used. */
export interface LayoutPort {
  postMessage(request: LayoutRequest): void;
  onmessage: ((e: MessageEvent<LayoutReply>) => void) | null;
  onerror: ((e: ErrorEvent) => void) | null;
}

/** All that a layout depends on: not names, not prompts. */
export function layoutKey(workflow: Workflow): string {
  const nodes = Object.entries(workflow.nodes ?? {}).map(([id, n]) =>
    [id, n.type, n.next_ids, n.routes, n.on_error, n.properties?.cases, n.properties?.default, n.properties?.steps, n.properties?.body]);
  return JSON.stringify([workflow.start_node_id, nodes]);
}

interface Asked { key: string; workflow: Workflow; done: (placed: Placed) => void; failed: (err: Error) => void }

export class Placer {
  private port?: LayoutPort;
  private next = 1;
  private asked = new Map<number, Asked>();
  private kept = new Map<string, Placed>();
  private under = new Map<string, Promise<Placed>>();

  /** `here` lays out on this side, should there be no worker to be had. */
  constructor(private open: () => LayoutPort, private here: (workflow: Workflow) => Promise<Placed>) {}

  known(key: string): Placed | undefined {
    return this.kept.get(key);
  }

  place(workflow: Workflow, key = layoutKey(workflow)): Promise<Placed> {
    const kept = this.kept.get(key);
    if (kept) return Promise.resolve(kept);
    const under = this.under.get(key);
    if (under) return under;
    const promise = this.ask(workflow, key).catch(() => this.here(workflow)).then((placed) => {
      this.keep(key, placed);
      return placed;
    }).finally(() => this.under.delete(key));
    this.under.set(key, promise);
    return promise;
  }

  private ask(workflow: Workflow, key: string): Promise<Placed> {
    return new Promise((done, failed) => {
      try {
        this.port ??= this.connect();
        const id = this.next++;
        this.asked.set(id, { key, workflow, done, failed });
        this.port.postMessage({ id, workflow });
      } catch (err) {
        failed(err as Error);
      }
    });
  }

  private connect(): LayoutPort {
    const port = this.open();
    port.onmessage = ({ data }) => {
      const asked = this.asked.get(data.id);
      if (!asked) return;
      this.asked.delete(data.id);
      if ("placed" in data) asked.done(data.placed);
      else asked.failed(new Error(data.error));
    };
    port.onerror = (e) => {
      for (const asked of this.asked.values()) asked.failed(new Error(e.message || "the layout worker failed"));
      this.asked.clear();
    };
    return port;
  }

  private keep(key: string, placed: Placed): void {
    this.kept.set(key, placed);
    const oldest = this.kept.keys().next().value;
    if (this.kept.size > KEPT_MAX && oldest !== undefined) this.kept.delete(oldest);
  }
}

const placer = new Placer(
  () => new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" }) as unknown as LayoutPort,
  async (workflow) => (await import("./layout")).placeWorkflow(workflow),
);

export interface Placing { placed: Placed; final: boolean }

/** The layout when it is there; nothing for a moment, then a column, while it is not. */
export function usePlaced(workflow: Workflow | undefined, nodeIds: string[]): Placing | undefined {
  const key = useMemo(() => (workflow?.nodes ? layoutKey(workflow) : undefined), [workflow]);
  const [, arrived] = useState(0);
  const [late, setLate] = useState<string>();
  const known = key === undefined ? undefined : placer.known(key);
  useEffect(() => {
    if (key === undefined || !workflow || placer.known(key)) return;
    let gone = false;
    const timer = setTimeout(() => setLate(key), PATIENCE_MS);
    const again = () => { if (!gone) arrived((n) => n + 1); };
    void placer.place(workflow, key).then(again, again).finally(() => clearTimeout(timer));
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [key, workflow]);
  return useMemo(() => {
    if (known) return { placed: known, final: true };
    if (key !== undefined && late !== key) return undefined;
    return { placed: placeColumn(workflow?.nodes ? Object.keys(workflow.nodes) : nodeIds), final: key === undefined };
  }, [known, key, late, workflow, nodeIds]);
}
