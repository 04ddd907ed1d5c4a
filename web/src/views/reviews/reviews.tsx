// The inbox: all that waits for a person, of all sessions, beside the one that is being answered; and what was answered
// before. On a small screen one after the other.

import { useEffect, useRef, useState } from "react";
import type { Session, Workflow } from "@sluice/client";
import { go, href, setQuery } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import type { ViewProps } from "@/app/views";
import { useWorkflowNames } from "@/app/workflow-names";
import { ago, nodeName, sessionTitle, words as plainWords } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { SelectField } from "@/ui/kit/field";
import { Loaded } from "@/ui/kit/loaded";
import { Empty, Page } from "@/ui/kit/page";
import { More } from "@/ui/kit/pages";
import { Tabs } from "@/ui/kit/tabs";
import { toast } from "@/ui/kit/toast";
import { useIsPhone } from "@/ui/media";
import { useWords } from "@/words/words";
import { Answer } from "./answer";
import { kindIcon, nextOf, oneLine, type Asked } from "./asked";
import { Countdown, outcomeLine } from "./parts";
import { HISTORY_MAX, useAsker, useAskers, useInbox, useReview, type Status } from "./use-review";
import { list as listWords, reviewKinds, words } from "./words";
import "./inbox.css";

const STATES = ["pending", "answered", "expired", "cancelled"] as const;
const KINDS = ["approve_reject", "edit_content", "form", "user_input", "stage"];

export default function Reviews({ params, query }: ViewProps) {
  const w = useWords(listWords);
  const status = STATES.find((s) => s === query.get("status")) ?? "pending";
  const kind = query.get("kind") ?? "";
  const group = query.get("group") ?? "";
  const phone = useIsPhone();
  const chosen = query.get("id") ?? params.interruptId;
  const pages = useInbox(status, kind);
  const askers = useAskers(pages.items ?? []);
  const shown = (pages.items ?? []).filter((i) => !group || askers.get(i.sessionId)?.group_id === group);
  // On a wide screen the first one is open without being chosen: there is nothing to do but to begin.
  const current = chosen ?? (phone ? undefined : shown[0]?.id);
  const filter = { status: status === "pending" ? undefined : status, kind, group };
  const open = (id: string | undefined) => {
    if (params.interruptId !== undefined || phone) go(href.reviews({ ...filter, id }));
    else setQuery({ id });
  };
  const step = (by: 1 | -1) => {
    const to = current ? nextOf(shown, current, by) : shown[0];
    if (to) open(to.id);
  };
  useShortcuts([{ keys: "j", what: useWords(words).kNext, run: () => step(1) }, { keys: "k", what: useWords(words).kPrev, run: () => step(-1) }]);
  const answered = (id: string) => {
    const rest = shown.filter((i) => i.id !== id);
    const next = nextOf(shown, id) ?? rest[rest.length - 1];
    open(next?.id);
  };
  const choose = (next: string) => go(href.reviews({ kind, group, status: next === "pending" ? undefined : next }));
  return (
    <Page title={w.title} about={w.about} className="inbox-page">
      <Tabs label={w.tabs} chosen={status} onChoose={choose} className="inbox" tabs={STATES.map((s) => ({ id: s, label: w[s], testId: `reviews-${s}` }))}>
        <div className="inbox-panes" data-open={chosen !== undefined || undefined}>
          <div className="inbox-list">
            <Filters kind={kind} group={group} askers={askers} />
            <Loaded query={pages.query}>{() => (shown.length ? (
              <>
                <Rows items={shown} askers={askers} current={current} href={(id) => href.reviews({ ...filter, id })} onOpen={open} />
                <More pages={pages} />
                {status !== "pending" && (pages.items?.length ?? 0) >= HISTORY_MAX && <p className="hint">{w.more(HISTORY_MAX)}</p>}
              </>
            ) : <Nothing status={status} filtered={Boolean(kind || group)} />)}</Loaded>
          </div>
          <div className="inbox-detail">
            {current && <Detail key={current} id={current} place={place(shown, current)} back={href.reviews(filter)} onAnswered={answered} />}
          </div>
        </div>
      </Tabs>
    </Page>
  );
}

const place = (items: Asked[], id: string): [number, number] | undefined => {
  const at = items.findIndex((i) => i.id === id);
  return at < 0 ? undefined : [at + 1, items.length];
};

function Filters({ kind, group, askers }: { kind: string; group: string; askers: Map<string, Session> }) {
  const w = useWords(listWords);
  const kinds = useWords(reviewKinds);
  const groups = [...new Set([...askers.values()].flatMap((s) => s.group_id ?? []).concat(group || []))].sort();
  return (
    <div className="inbox-filters">
      <SelectField label={w.kind} value={kind} onChange={(v) => setQuery({ kind: v, id: undefined })} testId="filter-kind"
        options={[["", w.allKinds], ...KINDS.map((k) => [k, kinds[k] ?? k] as const)]} />
      {groups.length > 0 && (
        <SelectField label={w.group} value={group} onChange={(v) => setQuery({ group: v, id: undefined })} testId="filter-group" options={[["", w.allGroups], ...groups.map((g) => [g, g] as const)]} />
      )}
    </div>
  );
}

function Nothing({ status, filtered }: { status: Status; filtered: boolean }) {
  const w = useWords(listWords);
  if (filtered) return <div className="empty small-empty" data-testid="empty"><p>{w.emptyFilter}</p><button type="button" className="small" onClick={() => setQuery({ kind: "", group: "", id: "" })}>{w.clear}</button></div>;
  if (status !== "pending") return <div className="empty small-empty" data-testid="empty"><p>{w.emptyHistory}</p></div>;
  return <Empty title={w.empty} action={<a className="button primary" href={href.start()}>{w.start}</a>}><p>{w.emptyAbout}</p></Empty>;
}

interface RowsProps {
  items: Asked[];
  askers: Map<string, Session>;
  current?: string;
  href: (id: string) => string;
  onOpen: (id: string) => void;
}

function Rows({ items, askers, current, href: address, onOpen }: RowsProps) {
  const w = useWords(listWords);
  const box = useRef<HTMLUListElement>(null);
  const workflows = useWorkflowNames();
  useEffect(() => { box.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" }); }, [current]);
  return (
    <ul className="inbox-rows" aria-label={w.list} ref={box}>
      {items.map((i) => (
        <li key={i.id}>
          <a href={address(i.id)} aria-current={i.id === current || undefined} data-testid={`review-${i.id}`}
            onClick={(e) => { if (!e.metaKey && !e.ctrlKey && !e.shiftKey) { e.preventDefault(); onOpen(i.id); } }}>
            <RowBody asked={i} session={askers.get(i.sessionId)} workflow={workflows.get(i.workflowId ?? "")} />
          </a>
        </li>
      ))}
    </ul>
  );
}

function RowBody({ asked, session, workflow }: { asked: Asked; session?: Session; workflow?: Workflow }) {
  const kinds = useWords(reviewKinds);
  const aw = useWords(words);
  return (
    <>
      <Icon name={kindIcon(asked.kind)} />
      <span className="inbox-row-words">
        <strong>{oneLine(asked.reason) || kinds[asked.kind]}</strong>
        <span>{session ? sessionTitle(session, workflow) : asked.sessionName ?? plainWords(asked.workflowId ?? "")}</span>
        <span className="inbox-row-meta">
          <span>{asked.status === "pending" ? kinds[asked.kind] : outcomeLine(asked, aw)}</span>
          <span>{ago(asked.status === "pending" ? asked.at : asked.closedAt)}</span>
          {asked.status === "pending" && <Countdown until={asked.expiresAt} paused={session?.status === "paused"} />}
        </span>
      </span>
    </>
  );
}

interface DetailProps {
  id: string;
  place?: [number, number];
  back: string;
  onAnswered: (id: string) => void;
}

function Detail({ id, place: at, back, onAnswered }: DetailProps) {
  const w = useWords(listWords);
  const query = useReview(id, true);
  const missing = query.error && (query.error as { status?: number }).status === 404;
  const head = useRef<HTMLHeadingElement>(null);
  const phone = useIsPhone();
  // On a small screen this is a page of its own.
  const there = query.data !== undefined;
  useEffect(() => { if (phone && there) head.current?.focus(); }, [phone, there]);
  return (
    <article className="inbox-question" aria-label={w.session} data-testid="question">
      <a className="button small inbox-back" href={back}><Icon name="chevron" size={13} />{w.backToList}</a>
      {missing ? <Empty title={w.notFound}><p>{w.notFoundAbout}</p></Empty>
        : <Loaded query={query}>{(asked) => <Question asked={asked} at={at} head={head} onAnswered={onAnswered} />}</Loaded>}
    </article>
  );
}

interface QuestionProps { asked: Asked; at?: [number, number]; head: React.RefObject<HTMLHeadingElement | null>; onAnswered: (id: string) => void }

function Question({ asked, at, head, onAnswered }: QuestionProps) {
  const w = useWords(listWords);
  const aw = useWords(words);
  const kinds = useWords(reviewKinds);
  const { session, workflow } = useAsker(asked.sessionId);
  const [answered, setAnswered] = useState(false);
  const node = workflow?.nodes?.[asked.nodeId];
  const paused = session?.status === "paused";
  const onTimeout = node?.properties?.on_timeout;
  const title = session ? sessionTitle(session, workflow) : asked.sessionName ?? plainWords(asked.workflowId ?? "");
  return (
    <>
      <header className="inbox-head">
        <div className="row">
          <span className="chip" data-tone={asked.status === "pending" ? "warm" : undefined}><Icon name={kindIcon(asked.kind)} size={12} />{kinds[asked.kind]}</span>
          {asked.status === "pending" && <span className="faint">{aw.waitsSince(ago(asked.at))}</span>}
          {asked.status === "pending" && <Countdown until={asked.expiresAt} paused={paused} />}
          {at && <span className="faint inbox-place">{w.of(...at)}</span>}
        </div>
        <h2 ref={head} tabIndex={-1}>{nodeName(asked.nodeId, node)}</h2>
        <p><a href={href.session(asked.sessionId, { node: asked.nodeId })}>{title}</a>{workflow?.name && workflow.name !== title && <span className="faint"> {workflow.name}</span>}</p>
      </header>
      <Answer asked={asked} paused={paused} onTimeout={typeof onTimeout === "string" ? onTimeout : undefined}
        onAnswered={(status) => {
          if (status === "recorded" || answered) return;
          setAnswered(true);
          toast(`${title}: ${aw.sent}`);
          onAnswered(asked.id);
        }} />
    </>
  );
}

