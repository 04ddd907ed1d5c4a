// One run of one node in the conversation, and what stands inside: messages, tool calls, questions, notes.

import { memo } from "react";
import type { WorkflowNode } from "@sluice/client";
import { setQuery } from "@/app/route";
import { useNodeNumber, useSession, useStore } from "@/session/hooks";
import { RUN_ITEMS_MAX, type ItemRef, type MessageView, type RunView } from "@/session/model";
import { isSpoken } from "@/session/spoken";
import { Copy } from "@/ui/copy";
import { nodeName, personaName, shortDuration } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Markdown } from "@/ui/markdown";
import { PlainText } from "@/ui/plain-text";
import { visible } from "@/ui/safe-text";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { Note, Said } from "./note";
import { Interrupt, Tool } from "./record";
import { Fold, useTalk } from "./talk";
import { talkWords } from "./talk-words";

// Neighbours in the workflow get hues far apart: the golden angle, from the accent's own.
const hueOf = (nth: number): number => Math.round(186 + nth * 137.508) % 360;

function Avatar({ name, nth, icon }: { name: string; nth: number; icon?: string }) {
  const initials = name.split(/\s+/).slice(0, 2).map((w) => [...w][0] ?? "").join("").toUpperCase();
  return (
    <span className="avatar" style={{ "--hue": hueOf(nth) } as React.CSSProperties} aria-hidden="true">
      {icon ? <Icon name={icon} size={14} /> : initials}
    </span>
  );
}

function Thinking({ id, text, live }: { id: string; text: string; live: boolean }) {
  const w = useWords(talkWords);
  // Counting is for later: it reads the whole text, and a live one grows with each frame.
  const words = live ? "" : w.words(text.split(/\s+/).filter(Boolean).length);
  return (
    <Fold id={`thinking/${id}`} className="thinking" live={live}
      summary={<><Icon name="chevron" size={12} />{live ? w.thinking : w.thought}<span className="faint">{words}</span></>}>
      {() => <div className="thinking-text" dir="auto"><PlainText text={text} /></div>}
    </Fold>
  );
}

const Message = memo(function Message({ message, plain, still }: { message: MessageView; plain: boolean; still: boolean }) {
  const w = useWords(talkWords);
  const { state, text, thinking, restarts } = message;
  const streaming = state === "streaming";
  return (
    <div className="message" data-state={state} data-still={still || undefined} data-testid="message" data-message={message.id}>
      {restarts.length > 0 && <p className="restarted"><Icon name="again" size={12} />{w.restarted(restarts.length, restarts[restarts.length - 1] ?? "")}</p>}
      {thinking && <Thinking id={message.id} text={thinking} live={streaming && !text} />}
      {message.headMissing && <p className="restarted">{w.headMissing}</p>}
      {text
        ? <div className={plain ? "text plain" : "text prose"} dir={plain ? "auto" : undefined} data-testid="text">
            {plain ? <PlainText text={text} /> : <Markdown text={text} streaming={streaming} />}
          </div>
        : streaming && !thinking && <div className="text waiting">{w.firstWord}</div>}
      {state === "cut" && <p className="cut">{w.cut}</p>}
      {message.finishReason === "length" && <p className="cut">{w.tooLong}</p>}
    </div>
  );
});

function OneMessage({ id }: { id: string }) {
  const { plain } = useTalk();
  const message = useSession((s) => s.view.messages[id]);
  const still = useSession((s) => s.view.status !== "running");
  if (message?.role === "user") return <Said text={message.text} at={message.at} />;
  return message ? <Message message={message} plain={plain} still={still} /> : null;
}

const Item = memo(function Item({ item }: { item: ItemRef }) {
  switch (item.kind) {
    case "message": return <OneMessage id={item.id} />;
    case "tool": return <Tool id={item.id} />;
    case "interrupt": return <Interrupt id={item.id} />;
    case "note": return <Note id={item.id} />;
  }
});

/** In a branch's column even a node that says nothing is named, so that the column is not a riddle. */
function SilentRun({ run, node }: { run: RunView; node: WorkflowNode | undefined }) {
  return (
    <p className="silent"><Icon name={node?.type ?? "node"} size={14} /><span><bdi>{nodeName(run.nodeId, node)}</bdi></span><StatusPill status={run.status} /></p>
  );
}

function CopySaid({ run, name }: { run: RunView; name: string }) {
  const w = useWords(talkWords);
  const store = useStore();
  const id = run.items.find((i) => i.kind === "message")?.id ?? "";
  const ready = useSession((s) => s.view.messages[id]?.state === "done" && s.view.messages[id].text !== "");
  return ready ? <Copy className="quiet run-copy" label={w.copySaid(name)} text={() => store.get().view.messages[id]?.text ?? ""} /> : null;
}

function useFacts(run: RunView, node: WorkflowNode | undefined): string {
  const w = useWords(talkWords);
  const took = run.startedAt && run.endedAt ? Date.parse(run.endedAt) - Date.parse(run.startedAt) : undefined;
  return [
    personaName(node),
    run.item !== undefined && w.item(run.item + 1),
    run.iteration > 1 && run.item === undefined && w.runRound(run.iteration),
    run.attempt > 1 && w.attempt(run.attempt),
    run.usage && run.usage.output_tokens > 0 && w.tokens(run.usage.output_tokens),
    took !== undefined && run.items.some((i) => i.kind === "message") && shortDuration(took),
  ].filter(Boolean).join(" · ");
}

const OWN_ICON = new Set(["human_review", "user_input", "script", "tool", "vote", "fact_check", "stage"]);

function RunHead({ run, node, name }: { run: RunView; node: WorkflowNode | undefined; name: string }) {
  const w = useWords(talkWords);
  const nth = useNodeNumber(run.nodeId);
  const facts = useFacts(run, node);
  return (
    <header>
      {/* The name opens the node in the graph and beside it. */}
      <button type="button" className="run-head" data-testid="run-head" title={w.showNode(name)} onClick={() => setQuery({ node: run.nodeId, run: run.id })}>
        <Avatar name={name} nth={nth} icon={OWN_ICON.has(node?.type ?? "") ? node?.type : undefined} />
        <span className="run-name"><bdi>{visible(name)}</bdi></span>
      </button>
      <span className="run-facts"><bdi>{facts}</bdi></span>
      <CopySaid run={run} name={name} />
    </header>
  );
}

/** `part`: of a run with a great many items, which of its blocks. */
export const Run = memo(function Run({ id, inColumn, part }: { id: string; inColumn?: boolean; part?: number }) {
  const w = useWords(talkWords);
  const talk = useTalk();
  const run = useSession((s) => s.view.runs[id]);
  const node = useSession((s) => (run ? s.workflow?.nodes?.[run.nodeId] : undefined));
  if (!run) return null;
  if (!isSpoken(run, node)) return inColumn && run.status !== "pending" ? <SilentRun run={run} node={node} /> : null;
  if (run.items.every((i) => i.kind === "note") && run.items.length > 0 && node?.type === "loop" && !run.error) {
    return <>{run.items.map((i) => <Note key={i.id} id={i.id} />)}</>;
  }
  const name = nodeName(run.nodeId, node);
  const items = part === undefined ? run.items : run.items.slice(part * RUN_ITEMS_MAX, (part + 1) * RUN_ITEMS_MAX);
  const isLast = part === undefined || (part + 1) * RUN_ITEMS_MAX >= run.items.length;
  return (
    <article className="run" data-status={run.status} data-node={run.nodeId} data-run={run.id} data-testid={`run-${run.nodeId}`}
      data-selected={talk.node === run.nodeId || undefined} data-marked={talk.marked === run.id || undefined}
      aria-label={run.iteration > 1 ? `${name}, ${w.runRound(run.iteration)}` : name}>
      {!part && <RunHead run={run} node={node} name={name} />}
      {run.items.length === 0 && run.status === "running" && <div className="text waiting">{node?.type === "script" ? w.computing : w.firstWord}</div>}
      {items.map((i) => <Item key={`${i.kind}-${i.id}`} item={i} />)}
      {run.error && isLast && (
        <div className="run-error" role="note">
          <Icon name="warn" size={14} />
          <div><p dir="auto">{visible(run.error.message)}</p>{run.error.code && <p className="faint mono">{run.error.code}</p>}</div>
        </div>
      )}
    </article>
  );
});
