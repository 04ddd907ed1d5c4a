// One run of one node in the conversation, and what stands inside: messages, tool calls, questions, notes.

import { memo, useState } from "react";
import type { WorkflowNode } from "@sluice/client";
import { useSession } from "@/session/hooks";
import type { InterruptView, ItemRef, MessageView, NoteView, RunView, ToolView } from "@/session/model";
import { clock, count, nodeName, outputText, personaName, plural, pretty, shortDuration, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Markdown } from "@/ui/markdown";
import { StatusPill } from "@/ui/status";

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

function Thinking({ text, live }: { text: string; live: boolean }) {
  const n = text.split(/\s+/).filter(Boolean).length;
  return (
    <details className="thinking" data-live={live || undefined}>
      <summary><Icon name="chevron" size={12} />{live ? "Thinking…" : "Thought"}<span className="faint">{plural(n, "word")}</span></summary>
      <div className="thinking-text">{text}</div>
    </details>
  );
}

const Message = memo(function Message({ message, plain, still }: { message: MessageView; plain: boolean; still: boolean }) {
  const streaming = message.state === "streaming";
  const thinkingLive = streaming && !message.text;
  return (
    <div className="message" data-state={message.state} data-still={still || undefined} data-testid="message" data-message={message.id}>
      {message.restarts.length > 0 && (
        <p className="restarted"><Icon name="again" size={12} />
          {message.restarts.length === 1 ? "Restarted" : `Restarted ${message.restarts.length} times`}
          {message.restarts[message.restarts.length - 1] ? `: ${message.restarts[message.restarts.length - 1]}` : ""}
        </p>
      )}
      {message.thinking && <Thinking text={message.thinking} live={thinkingLive} />}
      {message.headMissing && <p className="restarted">The first part of this message comes when it is complete.</p>}
      {message.text
        ? <div className={plain ? "text plain" : "text prose"} data-testid="text">
            {plain ? message.text : <Markdown text={message.text} streaming={streaming} />}
          </div>
        : streaming && !message.thinking && <div className="text waiting">Waiting for the first word</div>}
      {message.state === "cut" && <p className="cut">Cut off here. What was said before is kept.</p>}
      {message.finishReason === "length" && <p className="cut">The model stopped at its length limit.</p>}
    </div>
  );
});

const OneMessage = ({ id, plain }: { id: string; plain: boolean }) => {
  const message = useSession((s) => s.view.messages[id]);
  const isSaid = message?.role === "user";
  const still = useSession((s) => s.view.status !== "running");
  if (message && isSaid) return <Said text={message.text} at={message.at} />;
  return message ? <Message message={message} plain={plain} still={still} /> : null;
};

function Tool({ id }: { id: string }) {
  const tool = useSession((s) => s.view.tools[id]) as ToolView | undefined;
  if (!tool) return null;
  const state = tool.status === "started" ? "running" : tool.status;
  return (
    <details className="tool">
      <summary><Icon name="tool" size={13} /><span className="tool-name">{tool.tool}</span><StatusPill status={state} /></summary>
      {tool.input !== undefined && <><h6>Input</h6><pre>{pretty(tool.input)}</pre></>}
      {tool.output !== undefined && <><h6>Output</h6><pre>{outputText(tool.output) ?? pretty(tool.output)}</pre></>}
      {tool.error && <p className="field-error">{tool.error.message}</p>}
    </details>
  );
}

function answerText(i: InterruptView): { text: string; plain: boolean } | null {
  const { data } = i;
  if (typeof data === "string") return data ? { text: data, plain: false } : null;
  if (!data || typeof data !== "object" || Array.isArray(data)) return null;
  const parts = ["comment", "content", "text"].map((k) => data[k]).filter((v): v is string => typeof v === "string" && v !== "");
  if (parts.length) return { text: parts.join("\n\n"), plain: false };
  return Object.keys(data).length ? { text: pretty(data), plain: true } : null;
}

const ACTION_DONE: Record<string, string> = {
  approve: "Approved", reject: "Sent back", modify: "Approved with changes", skip: "Skipped", submit: "Answered",
  input: "Answered", answer: "Answered", edit: "Edited",
};

function Interrupt({ id, plain }: { id: string; plain: boolean }) {
  const i = useSession((s) => s.view.interrupts[id]);
  if (!i) return null;
  // What was said stands there as a message of its own.
  const answer = i.state === "answered" && !(i.kind === "user_input" && typeof i.data === "string") ? answerText(i) : null;
  return (
    <div className="interrupt-record" data-state={i.state} data-action={i.action} data-testid="interrupt">
      {i.reason && i.state !== "open" && <p className="interrupt-reason">{i.reason}</p>}
      {i.state === "open" && <p className="interrupt-outcome"><Icon name="pause" size={13} />Waiting for an answer, below</p>}
      {i.state === "answered" && (
        <p className="interrupt-outcome">
          <Icon name={i.action === "reject" ? "again" : "check"} size={13} />
          <strong>{ACTION_DONE[i.action ?? ""] ?? words(i.action ?? "Answered")}</strong>
          <span className="faint">{[i.reviewer && `by ${i.reviewer}`, clock(i.answeredAt)].filter(Boolean).join(" · ")}</span>
        </p>
      )}
      {i.state === "expired" && <p className="interrupt-outcome"><Icon name="wait" size={13} />Nobody answered in time{i.action ? `: ${words(i.action).toLowerCase()}` : ""}</p>}
      {i.state === "closed" && <p className="interrupt-outcome faint">No longer asked</p>}
      {answer && (answer.plain ? <div className="interrupt-answer"><pre>{answer.text}</pre></div>
        : plain ? <div className="interrupt-answer">{answer.text}</div>
        : <div className="interrupt-answer prose"><Markdown text={answer.text} streaming={false} /></div>)}
    </div>
  );
}

const NOTE_ICON: Partial<Record<NoteView["kind"], string>> = {
  log: "file", error: "warn", vote: "vote", tally: "vote", fact: "search", budget: "warn", breaker: "warn", signal: "warn", round: "loop",
};

function Said({ who = "You", text, at }: { who?: string; text: string; at: string }) {
  return (
    <div className="said">
      <div className="said-bubble" data-testid="said-text"><span className="sr">{who} said: </span>{text}</div>
      <span className="faint">{who} · {clock(at)}</span>
    </div>
  );
}

export function Note({ id }: { id: string }) {
  const note = useSession((s) => s.view.notes[id]);
  if (!note) return null;
  if (note.kind === "said") return <Said who={note.who} text={note.text} at={note.at} />;
  if (note.kind === "round") {
    return (
      <div className="round"><span><Icon name="loop" size={12} />{note.text}{note.detail && <span className="faint">{note.detail}</span>}</span></div>
    );
  }
  return (
    <div className="note" data-kind={note.kind} data-level={note.level}>
      <Icon name={NOTE_ICON[note.kind] ?? "dot"} size={13} />
      <div>
        {note.who && <strong>{note.who} </strong>}
        <span className={note.kind === "log" ? "log-text" : undefined}>{note.text}</span>
        {note.data && <span className="faint"> {Object.entries(note.data).map(([k, v]) => `${k} ${typeof v === "object" ? JSON.stringify(v) : v}`).join(" · ")}</span>}
        {note.detail && <p className="faint">{note.detail}</p>}
      </div>
    </div>
  );
}

const Item = memo(function Item({ item, plain }: { item: ItemRef; plain: boolean }) {
  switch (item.kind) {
    case "message": return <OneMessage id={item.id} plain={plain} />;
    case "tool": return <Tool id={item.id} />;
    case "interrupt": return <Interrupt id={item.id} plain={plain} />;
    case "note": return <Note id={item.id} />;
  }
});

// Runs that have nothing to say (start, parallel, transform) are to be seen in the graph; here they would be noise.
const isSpoken = (run: RunView, node: WorkflowNode | undefined): boolean =>
  run.items.length > 0 || run.error !== undefined ||
  (run.status === "running" && (node?.type === "llm" || node?.type === "agent" || node?.type === "script" || node?.type === "tool"));

/** In a branch's column even a node that says nothing is named, so that the column is not a riddle. */
function SilentRun({ run, node }: { run: RunView; node: WorkflowNode | undefined }) {
  return (
    <p className="silent"><Icon name={node?.type ?? "node"} size={14} /><span>{nodeName(run.nodeId, node)}</span><StatusPill status={run.status} /></p>
  );
}

export const Run = memo(function Run({ id, plain, inColumn }: { id: string; plain: boolean; inColumn?: boolean }) {
  const run = useSession((s) => s.view.runs[id]);
  const node = useSession((s) => (run ? s.workflow?.nodes?.[run.nodeId] : undefined));
  const nth = useSession((s) => (run ? Math.max(0, Object.keys(s.workflow?.nodes ?? s.view.nodes).indexOf(run.nodeId)) : 0));
  const [copied, setCopied] = useState(false);
  const words_ = useSession((s) => {
    const ref = run?.items.find((i) => i.kind === "message");
    return ref ? s.view.messages[ref.id] : undefined;
  });
  if (!run) return null;
  if (!isSpoken(run, node)) return inColumn && run.status !== "pending" ? <SilentRun run={run} node={node} /> : null;
  if (run.items.every((i) => i.kind === "note") && run.items.length > 0 && node?.type === "loop" && !run.error) {
    return <>{run.items.map((i) => <Note key={i.id} id={i.id} />)}</>;
  }
  const name = nodeName(run.nodeId, node);
  const icon = node?.type === "human_review" || node?.type === "user_input" || node?.type === "script" || node?.type === "tool" ? node.type : undefined;
  const took = run.startedAt && run.endedAt ? Date.parse(run.endedAt) - Date.parse(run.startedAt) : undefined;
  const facts = [
    personaName(node),
    run.iteration > 1 && `round ${run.iteration}`,
    run.attempt > 1 && `attempt ${run.attempt}`,
    run.usage && run.usage.output_tokens > 0 && `${count(run.usage.output_tokens)} tokens`,
    took !== undefined && run.items.some((i) => i.kind === "message") && shortDuration(took),
  ].filter(Boolean);
  const copy = async () => {
    await navigator.clipboard.writeText(words_?.text ?? "");
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <article className="run" data-status={run.status} data-node={run.nodeId} data-testid={`run-${run.nodeId}`} aria-label={`${name}${run.iteration > 1 ? `, round ${run.iteration}` : ""}`}>
      <header>
        <Avatar name={name} nth={nth} icon={icon} />
        <span className="run-name">{name}</span>
        <span className="run-facts">{facts.join(" · ")}</span>
        {words_?.state === "done" && words_.text && (
          <button type="button" className="quiet run-copy" onClick={() => void copy()} aria-label={`Copy what ${name} said`}>{copied ? "Copied" : "Copy"}</button>
        )}
      </header>
      {run.items.length === 0 && run.status === "running" && <div className="text waiting">{node?.type === "script" ? "Computing" : "Waiting for the first word"}</div>}
      {run.items.map((i) => <Item key={`${i.kind}-${i.id}`} item={i} plain={plain} />)}
      {run.error && (
        <div className="run-error" role="note">
          <Icon name="warn" size={14} />
          <div><p>{run.error.message}</p>{run.error.code && <p className="faint mono">{run.error.code}</p>}</div>
        </div>
      )}
    </article>
  );
});
