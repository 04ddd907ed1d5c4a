// What part of the graph is looked at: all of it, until a person moves it; what happens, while it is followed.

import { useReactFlow } from "@xyflow/react";
import { useCallback, useEffect, useRef, useState, type RefObject } from "react";
import { NODE_HEIGHT, NODE_WIDTH, type Placed } from "./shape";

const MARGIN_PX = 22;
/** The buttons at the foot cover nothing of a graph that is shown whole. */
const TOOLS_PX = 40;
const ZOOM_FIT_MAX = 1.05;
/** Below this, words cannot be read: a graph that would have to be shown so is begun at its start. */
const ZOOM_READABLE = 0.5;
const ZOOM_START = 0.85;
const MOVE_MS = 650;

interface Box { left: number; top: number; right: number; bottom: number }

/** Around these nodes. */
export function boxAround(placed: Placed, ids: readonly string[]): Box | undefined {
  const own = placed.nodes.filter((n) => ids.includes(n.id));
  if (!own.length) return undefined;
  return {
    left: Math.min(...own.map((n) => n.x)), top: Math.min(...own.map((n) => n.y)),
    right: Math.max(...own.map((n) => n.x)) + NODE_WIDTH, bottom: Math.max(...own.map((n) => n.y)) + NODE_HEIGHT,
  };
}

export interface Viewport { x: number; y: number; zoom: number }

export const fitZoom = (placed: Placed, w: number, h: number): number =>
  Math.min((w - 2 * MARGIN_PX) / Math.max(1, placed.width), (h - 2 * MARGIN_PX) / Math.max(1, placed.height), ZOOM_FIT_MAX);

/** Where to look to see `box`; nothing if it is to be seen from `now` already. */
export function viewOf(box: Box, now: Viewport, w: number, h: number): Viewport | undefined {
  const [bw, bh] = [box.right - box.left, box.bottom - box.top];
  const most = Math.min((w - 2 * MARGIN_PX) / bw, (h - 2 * MARGIN_PX) / bh);
  const isSeen = box.left * now.zoom + now.x >= 0 && box.right * now.zoom + now.x <= w && box.top * now.zoom + now.y >= 0 && box.bottom * now.zoom + now.y <= h;
  if (isSeen && now.zoom >= Math.min(ZOOM_READABLE, most)) return undefined;
  const zoom = Math.min(Math.max(now.zoom, ZOOM_START), most, ZOOM_FIT_MAX);
  return { x: w / 2 - ((box.left + box.right) / 2) * zoom, y: h / 2 - ((box.top + box.bottom) / 2) * zoom, zoom };
}

const isCalm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

interface Looking {
  /** Chosen somewhere, perhaps not here: is shown. */
  selected: string | undefined;
  box: RefObject<HTMLDivElement | null>;
  placed: Placed | undefined;
  ready: boolean;
  active: readonly string[];
  /** A picture that cannot be moved is shown whole. */
  isPicture: boolean;
}

export function useLooking({ box, placed, ready, active, selected, isPicture }: Looking) {
  const flow = useReactFlow();
  const [following, setFollowing] = useState<boolean>();
  const moved = useRef(false);
  const size = useCallback(() => {
    const { clientWidth: w = 0, clientHeight: h = 0 } = box.current ?? {};
    return { w, h: isPicture ? h : Math.max(0, h - TOOLS_PX) };
  }, [box, isPicture]);
  const go = useCallback((to: Viewport, ms: number) => void flow.setViewport(to, { duration: isCalm() ? 0 : ms, interpolate: "linear" }), [flow]);

  // Lanes of back edges are not nodes, and fitView would cut them off: fit what was laid out.
  const fit = useCallback((ms: number, whole: boolean) => {
    const { w, h } = size();
    if (!placed || !w || !h) return;
    const all = fitZoom(placed, w, h);
    if (whole || isPicture || all >= ZOOM_READABLE) {
      return go({ x: (w - placed.width * all) / 2, y: (h - placed.height * all) / 2, zoom: all }, ms);
    }
    const first = placed.nodes.reduce((a, b) => (b.y < a.y ? b : a), placed.nodes[0]!);
    const zoom = Math.max(all, Math.min(ZOOM_START, (w - 2 * MARGIN_PX) / Math.min(placed.width, w / ZOOM_READABLE)));
    go({ x: w / 2 - (first.x + NODE_WIDTH / 2) * zoom, y: MARGIN_PX - first.y * zoom, zoom }, ms);
  }, [placed, size, go, isPicture]);

  // A graph that does not fit is followed until somebody moves it.
  const { w, h } = size();
  const isFollowing = following ?? (!isPicture && placed !== undefined && w > 0 && fitZoom(placed, w, h) < ZOOM_READABLE);

  useEffect(() => { moved.current = false; }, [placed]);
  useEffect(() => {
    const element = box.current;
    if (!element || !ready) return;
    const refit = () => { if (!moved.current) fit(0, false); };
    refit();
    const observer = new ResizeObserver(refit);
    observer.observe(element);
    return () => observer.disconnect();
  }, [ready, fit, box]);

  const showAll = useCallback((ids: readonly string[], ms: number) => {
    const around = placed && boxAround(placed, ids);
    const now = size();
    if (!around || !now.w) return;
    const to = viewOf(around, flow.getViewport(), now.w, now.h);
    if (to) {
      moved.current = true;
      go(to, ms);
    }
  }, [placed, flow, go, size]);
  useEffect(() => {
    // The inspector takes a part of the room when it opens: after that.
    if (!ready || selected === undefined) return;
    const timer = setTimeout(() => showAll([selected], MOVE_MS / 2), 60);
    return () => clearTimeout(timer);
  }, [ready, selected, showAll]);
  const key = active.join("\n");
  // A move that is under way comes to its end first, and then goes where things are by then.
  const latest = useRef(key);
  const busy = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    latest.current = key;
    if (!isFollowing || !ready || !key || busy.current) return;
    const move = () => {
      const wanted = latest.current;
      showAll(wanted.split("\n"), MOVE_MS);
      busy.current = setTimeout(() => {
        busy.current = undefined;
        if (latest.current !== wanted && latest.current) move();
      }, MOVE_MS + 50);
    };
    move();
  }, [isFollowing, ready, key, showAll]);
  useEffect(() => {
    if (isFollowing) return;
    clearTimeout(busy.current);
    busy.current = undefined;
  }, [isFollowing]);
  useEffect(() => () => clearTimeout(busy.current), []);

  return {
    following: isFollowing,
    follow: () => setFollowing(!isFollowing),
    /** Shows a node, for the keyboard. */
    show: (id: string) => showAll([id], 0),
    fit: () => { moved.current = false; setFollowing(false); fit(250, true); },
    zoom: (by: 1 | -1) => { moved.current = true; void (by > 0 ? flow.zoomIn({ duration: 150 }) : flow.zoomOut({ duration: 150 })); },
    /** A person has moved it. */
    onMoved: () => { moved.current = true; setFollowing(false); },
  };
}
