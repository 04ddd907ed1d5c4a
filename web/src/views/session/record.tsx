// A tool call and an answered question, as they stand in the conversation.

import { useSession } from "@/session/hooks";
import type { InterruptView } from "@/session/model";
import { clock, outputText, pretty, words as wordsOf } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Markdown } from "@/ui/markdown";
import { PlainText } from "@/ui/plain-text";
import { visible } from "@/ui/safe-text";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { Fold, useTalk } from "./talk";
import { doneWords, talkWords } from "./talk-words";

export function Tool({ id }: { id: string }) {
  const w = useWords(talkWords);
  const tool = useSession((s) => s.view.tools[id]);
  if (!tool) return null;
  return (
    <Fold id={`tool/${id}`} className="tool" summary={
      <><Icon name="tool" size={13} /><span className="tool-name"><bdi>{visible(tool.tool)}</bdi></span><StatusPill status={tool.status === "started" ? "running" : tool.status} /></>
    }>{() => (
      <>
        {tool.input !== undefined && <><h4>{w.input}</h4><pre tabIndex={0}><PlainText text={pretty(tool.input)} /></pre></>}
        {tool.output !== undefined && <><h4>{w.output}</h4><pre tabIndex={0}><PlainText text={outputText(tool.output) ?? pretty(tool.output)} /></pre></>}
        {tool.error && <p className="field-error">{visible(tool.error.message)}</p>}
      </>
    )}</Fold>
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

function Outcome({ i }: { i: InterruptView }) {
  const w = useWords(talkWords);
  const done = useWords(doneWords);
  const replay = useSession((s) => s.mode === "replay");
  const action = i.action ? done[i.action] ?? wordsOf(i.action) : "";
  switch (i.state) {
    case "open": return <p className="interrupt-outcome"><Icon name="pause" size={13} />{replay ? w.answerAwaited : w.answerBelow}</p>;
    case "expired": return <p className="interrupt-outcome"><Icon name="wait" size={13} />{w.late(action)}</p>;
    case "closed": return <p className="interrupt-outcome faint">{w.notAsked}</p>;
    case "answered":
      return (
        <p className="interrupt-outcome">
          <Icon name={i.action === "reject" ? "again" : "check"} size={13} />
          <strong>{action || w.answered}</strong>
          <span className="faint">{i.reviewer && <><bdi>{w.by(i.reviewer)}</bdi> · </>}{clock(i.answeredAt)}</span>
        </p>
      );
  }
}

export function Interrupt({ id }: { id: string }) {
  const i = useSession((s) => s.view.interrupts[id]);
  const { plain } = useTalk();
  if (!i) return null;
  // What was said stands there as a message of its own.
  const answer = i.state === "answered" && !(i.kind === "user_input" && typeof i.data === "string") ? answerText(i) : null;
  return (
    <div className="interrupt-record" data-state={i.state} data-action={i.action} data-testid="interrupt">
      {i.reason && i.state !== "open" && <p className="interrupt-reason" dir="auto">{visible(i.reason)}</p>}
      <Outcome i={i} />
      {answer && (answer.plain ? <div className="interrupt-answer"><pre tabIndex={0}>{visible(answer.text)}</pre></div>
        : plain ? <div className="interrupt-answer" tabIndex={0}><PlainText text={answer.text} /></div>
        : <div className="interrupt-answer prose" tabIndex={0}><Markdown text={answer.text} streaming={false} /></div>)}
    </div>
  );
}
