// The document under the editor's hands, with every state that it had. What is done is a command: a function that
// gives the next workflow. Typing in one field is one step back, not one for each letter.

import { idsOf, nodeOf, type Flow } from "./model";
import { same } from "./model";
import type { Link } from "./links";

export interface Selection { nodes: readonly string[]; link?: Pick<Link, "from" | "to"> }

export interface Moment { flow: Flow; selection: Selection }

export interface EditorState extends Moment {
  past: readonly Moment[];
  future: readonly Moment[];
  /** As the server has it. */
  saved: Flow;
  version?: number;
}

const STEPS_MAX = 200;
const TOGETHER_MS = 1_200;
const NOTHING: Selection = { nodes: [] };

export class EditorStore {
  #state: EditorState;
  #listeners = new Set<() => void>();
  #last = { key: "", at: 0 };

  constructor(flow: Flow, options: { version?: number; saved?: Flow; selection?: Selection } = {}) {
    this.#state = { flow, selection: options.selection ?? NOTHING, past: [], future: [], saved: options.saved ?? flow, version: options.version };
  }

  get = (): EditorState => this.#state;

  subscribe = (fn: () => void): (() => void) => {
    this.#listeners.add(fn);
    return () => void this.#listeners.delete(fn);
  };

  #set(next: EditorState): void {
    this.#state = next;
    for (const fn of this.#listeners) fn();
  }

  /** Carries out a command. Those with the same key, shortly after each other, are one step. */
  run(command: (flow: Flow) => Flow, options: { key?: string; select?: readonly string[] } = {}): void {
    const { flow, selection, past } = this.#state;
    const next = command(flow);
    if (next === flow) return;
    const now = Date.now();
    const together = options.key !== undefined && options.key === this.#last.key && now - this.#last.at < TOGETHER_MS && past.length > 0;
    this.#last = { key: options.key ?? "", at: now };
    this.#set({
      ...this.#state, flow: next, future: [],
      past: together ? past : [...past.slice(1 - STEPS_MAX), { flow, selection }],
      selection: options.select ? { nodes: options.select } : kept(selection, next),
    });
  }

  undo = (): void => this.#step("past", "future");
  redo = (): void => this.#step("future", "past");

  #step(from: "past" | "future", to: "past" | "future"): void {
    const { flow, selection } = this.#state;
    const target = this.#state[from].at(-1);
    if (!target) return;
    this.#last = { key: "", at: 0 };
    this.#set({
      ...this.#state, flow: target.flow, selection: kept(target.selection, target.flow),
      [from]: this.#state[from].slice(0, -1), [to]: [...this.#state[to], { flow, selection }],
    });
  }

  select = (nodes: readonly string[], link?: Selection["link"]): void => {
    const { selection } = this.#state;
    const unchanged = nodes.length === selection.nodes.length && nodes.every((id, i) => id === selection.nodes[i])
      && link?.from === selection.link?.from && link?.to === selection.link?.to;
    if (!unchanged) this.#set({ ...this.#state, selection: { nodes, ...(link && { link }) } });
  };

  /** The server has this now. */
  markSaved(saved: Flow, version: number | undefined): void {
    this.#set({ ...this.#state, saved, version });
  }

  get dirty(): boolean {
    return isDirty(this.#state);
  }
}

export const isDirty = (state: EditorState): boolean => !same(state.flow, state.saved) || !sameOrder(state.flow, state.saved);

// Of joins that wait for each other the first in the document goes: for nodes, order counts.
const sameOrder = (a: Flow, b: Flow) => a === b || idsOf(a).join("\n") === idsOf(b).join("\n");

function kept(selection: Selection, flow: Flow): Selection {
  const nodes = selection.nodes.filter((id) => nodeOf(flow, id));
  const { link } = selection;
  const there = link && nodeOf(flow, link.from) && nodeOf(flow, link.to);
  return nodes.length === selection.nodes.length && (!link || there) ? selection : { nodes, ...(there && { link }) };
}
