// Where a new node goes: on an arrow, behind the node that is selected, or before the end.

import { connect, containerOf, linksFrom, linksOf, redirect, type Link } from "./links";
import { leadOn, makeNode, type Fresh } from "./kinds";
import { idsOf, nodeOf, placesOf, propsOf, setIn, setNode, setPlaces, textsOf, typeOf, type Flow, type Place } from "./model";
import { insertStep, stepsOf, type Made } from "./ops";

/** `others`: where all the others stand, for who puts one node somewhere has placed them all. */
export interface Spot { after?: string; link?: Link; place?: Place; others?: Record<string, Place> }

const made = (flow: Flow, fresh: Fresh): Made => ({ flow, ids: [fresh.id] });

/** Members of a map stay together: what is put between them belongs to it. */
function joinBody(flow: Flow, near: string, fresh: Fresh): Flow {
  const holder = containerOf(flow, near);
  if (holder?.way !== "member") return flow;
  const map = nodeOf(flow, holder.from);
  if (!map) return flow;
  const body = textsOf(propsOf(map).body);
  return setNode(flow, holder.from, setIn(map, ["properties", "body"], [...body, fresh.id, ...fresh.helpers.filter((h) => !containerOf(flow, h))]));
}

function onLink(flow: Flow, fresh: Fresh, link: Link): Flow {
  if (link.way === "step") return insertStep(flow, link.from, fresh.id, stepsOf(flow, link.from).indexOf(link.to));
  if (link.way === "member") return connect(flow, link.from, fresh.id, "member");
  return joinBody(leadOn(redirect(flow, link, fresh.id), fresh, link.to), link.from, fresh);
}

/** The arrow on which something behind this node is put. */
function wayOn(flow: Flow, id: string): Link | undefined {
  const ahead = linksFrom(flow, id).filter((l) => l.way !== "error" && l.way !== "step" && l.way !== "member");
  return ahead.find((l) => l.way === "route:approve") ?? ahead[0];
}

const endOf = (flow: Flow) => idsOf(flow).find((id) => typeOf(nodeOf(flow, id)) === "end");

function behind(flow: Flow, fresh: Fresh, after: string): Flow {
  const type = typeOf(nodeOf(flow, after));
  const holder = containerOf(flow, after);
  if (type === "sequence") return insertStep(flow, after, fresh.id);
  if (holder?.way === "step") return insertStep(flow, holder.from, fresh.id, stepsOf(flow, holder.from).indexOf(after) + 1);
  if (type === "end") {
    const inward = linksOf(flow).filter((l) => l.to === after && l.way !== "error" && l.from !== fresh.id && !fresh.helpers.includes(l.from));
    return leadOn(inward.reduce((f, l) => redirect(f, l, fresh.id), flow), fresh, after);
  }
  const ahead = wayOn(flow, after);
  // One more branch, or one more case, that goes where the others go.
  if (type === "parallel" || type === "switch") {
    const next = connect(flow, after, fresh.id);
    const to = type === "switch" ? ahead?.to : ahead && wayOn(flow, ahead.to)?.to;
    return to ? leadOn(next, fresh, to) : next;
  }
  if (ahead) return onLink(flow, fresh, ahead);
  const next = joinBody(connect(flow, after, fresh.id), after, fresh);
  const end = type === "loop" ? after : endOf(flow);
  return holder || !end ? next : leadOn(next, fresh, end);
}

/** Adds a node of a kind. An `end` or a `start` takes nothing over; one that was dropped on free ground stands for itself. */
export function addNode(flow: Flow, kind: string, spot: Spot): Made {
  const fresh = makeNode(flow, kind);
  let next = fresh.flow;
  if (spot.link && kind !== "end" && kind !== "start") next = onLink(next, fresh, spot.link);
  else if (kind === "end") next = spot.after && typeOf(nodeOf(flow, spot.after)) !== "end" ? connect(next, spot.after, fresh.id) : next;
  else if (kind === "start" || spot.place) next = fresh.flow;
  else if (spot.after && nodeOf(flow, spot.after)) next = behind(next, fresh, spot.after);
  else {
    const end = endOf(flow);
    const into = end && linksOf(flow).find((l) => l.to === end && l.way !== "error");
    if (into) next = onLink(next, fresh, into);
  }
  if (spot.place) next = setPlaces(next, { ...(spot.others ?? placesOf(next)), [fresh.id]: spot.place });
  return made(next, fresh);
}
