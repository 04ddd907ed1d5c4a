// How the session ended, at the foot of the conversation.

import { useMemo } from "react";
import { useSession, useStore } from "@/session/hooks";
import { TERMINAL } from "@/session/model";
import { nodeName, outputText, pretty } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Markdown } from "@/ui/markdown";
import { PlainText } from "@/ui/plain-text";
import { visible } from "@/ui/safe-text";
import { useWords } from "@/words/words";
import { Fold } from "./talk";
import { talkWords } from "./talk-words";

export function Ending() {
  const status = useSession((s) => s.view.status);
  return TERMINAL.has(status) ? <Ended status={status} /> : null;
}

function Ended({ status }: { status: string }) {
  const w = useWords(talkWords);
  const reason = useSession((s) => s.view.reason);
  if (status === "failed") return <Failed />;
  if (status === "cancelled") {
    return (
      <section className="ending" data-status="cancelled" data-testid="ending">
        <h2><Icon name="stop" />{w.cancelled}</h2>
        <p>{reason ? <><bdi>{visible(reason)}</bdi>. </> : ""}{w.kept}</p>
      </section>
    );
  }
  return <Completed />;
}

function Failed() {
  const w = useWords(talkWords);
  const error = useSession((s) => s.view.error);
  const reason = useSession((s) => s.view.reason);
  const node = useSession((s) => (error?.node_id ? s.workflow?.nodes?.[error.node_id] : undefined));
  const at = error?.node_id ? nodeName(error.node_id, node) : undefined;
  const stopped = error?.code === "stopped";
  return (
    <section className="ending" data-status="failed" data-testid="ending">
      <h2><Icon name="cross" />{at ? (stopped ? w.stoppedAt(at) : w.failedAt(at)) : stopped ? w.stopped : w.failed}</h2>
      <p dir="auto">{visible(error?.message ?? reason ?? w.noReason)}</p>
      {error?.code && <p className="faint mono">{error.code}</p>}
    </section>
  );
}

function Completed() {
  const w = useWords(talkWords);
  const store = useStore();
  const output = useSession((s) => s.view.output);
  const text = outputText(output);
  // The last message often is the output: once is enough.
  const repeated = useMemo(() => {
    const wanted = text?.trim();
    return wanted !== undefined && Object.values(store.get().view.messages).some((m) => m.text.length >= wanted.length && m.text.trim() === wanted);
  }, [store, text]);
  return (
    <section className="ending" data-status="completed" data-testid="ending">
      <h2><Icon name="check" />{w.completed}</h2>
      {text !== null && !repeated && <div className="prose"><Markdown text={text} streaming={false} /></div>}
      {text === null && output !== undefined && <Fold id="result" className="result" summary={w.result}>{() => <pre tabIndex={0}><PlainText text={pretty(output)} /></pre>}</Fold>}
    </section>
  );
}
