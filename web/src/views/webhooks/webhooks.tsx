// Webhooks: the list, the chosen one's form, how it does, and what was delivered.

import { useMemo, useState } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { Webhook } from "@sluice/client";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { client } from "@/client/http";
import { shortDuration } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Catalog, catalogWords, Chosen, ObjectForm } from "@/ui/kit/catalog";
import { Copy } from "@/ui/kit/copy";
import { useDraft } from "@/ui/kit/draft";
import { ErrorText } from "@/ui/kit/loaded";
import { Empty, Page } from "@/ui/kit/page";
import { dropFromPages, usePages } from "@/ui/kit/pages";
import { Once } from "@/ui/kit/once";
import { toast } from "@/ui/kit/toast";
import { useLang, useWords } from "@/words/words";
import { objectOf } from "@/ui/json-text";
import { Deliveries } from "./deliveries";
import { WebhookFields } from "./fields";
import { EXAMPLE, webhookBody, webhookForm, type WebhookForm } from "./form";
import { webhookState } from "./state";
import { webhookWords } from "./words";
import "./webhooks.css";

const NEW = "~new";
const LOOK_MS = 5_000;

// The answer that made a webhook has its secret, and only that one: it is kept here until it was read.
const secrets = new Map<string, string>();

export default function Webhooks(props: ViewProps) {
  const w = useWords(webhookWords);
  const may = useMay();
  if (may("admin")) return <List {...props} />;
  return <Page title={w.title} about={w.about}><Empty title={w.title}><p>{w.adminOnly}</p></Empty></Page>;
}

const nameOf = (h: Webhook) => h.name || h.url.replace(/^https?:\/\//, "");

function List({ params, query }: ViewProps) {
  const w = useWords(webhookWords);
  useLang();
  const q = query.get("q") ?? "";
  const all = usePages(["webhooks", "list"], (cursor, signal) => client.listWebhooks({ limit: 200, cursor }, { signal }), { refetchInterval: LOOK_MS });
  const items = useMemo(() => all.items?.filter((h) => `${h.name ?? ""} ${h.url}`.toLowerCase().includes(q.toLowerCase())), [all.items, q]);
  const chosen = params.id;
  return (
    <Catalog<Webhook> title={w.title} about={w.about} pages={{ query: all.query, items }} chosen={chosen} back={href.webhooks()} address={(id) => `${href.webhooks(id)}${q ? `?q=${encodeURIComponent(q)}` : ""}`}
      search={{ q, label: w.filterList }} empty={{ title: w.emptyTitle, about: <p>{w.emptyAbout}</p> }} create={{ label: w.create, address: href.webhooks(NEW) }}
      row={(h) => {
        const state = webhookState(h, w);
        return { id: h.id, title: nameOf(h), note: h.url, mark: <Icon name={state.tone === "bad" ? "warn" : "hook"} />, chip: <span className="chip" data-tone={state.tone}>{state.short}</span> };
      }}>
      {chosen === NEW ? <Editor /> : chosen !== undefined ? <Stored id={chosen} /> : undefined}
    </Catalog>
  );
}

function Stored({ id }: { id: string }) {
  const query = useQuery({ queryKey: ["webhooks", id], refetchInterval: LOOK_MS, queryFn: ({ signal }) => client.getWebhook(id, { signal }) });
  return <Chosen query={query}>{(webhook) => <Editor webhook={webhook} />}</Chosen>;
}

function check(f: WebhookForm, w: (typeof webhookWords)["en"]) {
  return {
    ...(f.url.trim() ? {} : { url: w.urlNeeded }), ...(f.all || f.events.length ? {} : { events: w.eventsNeeded }), ...(objectOf(f.filter.metadata) ? {} : { filter: w.metadataBad }),
  };
}

function Editor({ webhook }: { webhook?: Webhook }) {
  const w = useWords(webhookWords);
  const cw = useWords(catalogWords);
  const queries = useQueryClient();
  const draft = useDraft<WebhookForm, Webhook>({
    stored: webhook, form: webhookForm, check: (f) => check(f, w),
    save: (f, version, stored) => (stored ? client.patchWebhook(stored.id, webhookBody(f), { ifMatch: version }) : client.createWebhook(webhookBody(f))),
    read: (stored) => queries.fetchQuery({ queryKey: ["webhooks", stored.id], staleTime: 0, queryFn: () => client.getWebhook(stored.id) }),
    onSaved: (saved, isNew) => {
      if (saved.secret) secrets.set(saved.id, saved.secret);
      const { secret: _, ...shown } = saved;
      queries.setQueryData(["webhooks", saved.id], shown);
      void queries.invalidateQueries({ queryKey: ["webhooks"] });
      toast(cw.saved);
      if (isNew) go(href.webhooks(saved.id));
    },
  });
  const remove = async () => {
    await client.deleteWebhook(webhook!.id, { ifMatch: webhook!.version });
    dropFromPages(queries, "webhooks", webhook!.id);
    go(href.webhooks());
  };
  const state = webhook && webhookState(webhook, w);
  return (
    <ObjectForm draft={draft} isNew={!webhook} title={webhook ? nameOf(webhook) : w.newTitle} createLabel={w.create}
      chips={state && <span className="chip" data-tone={state.tone} data-testid="webhook-state">{state.short}</span>}
      onRemove={webhook ? { name: nameOf(webhook), about: <p>{w.deleteAbout}</p>, run: remove } : undefined}
      after={webhook && <><Test webhook={webhook} unsaved={draft.dirty} /><Deliveries id={webhook.id} /><Signature /></>}>
      {webhook && <Secret id={webhook.id} />}
      {state && <p className="card webhook-state" data-tone={state.tone} role="status"><Icon name={state.tone === "good" ? "check" : state.tone === "bad" ? "warn" : "dot"} />{state.text}</p>}
      <WebhookFields draft={draft} isNew={!webhook} />
    </ObjectForm>
  );
}

function Secret({ id }: { id: string }) {
  const w = useWords(webhookWords);
  const [secret, setSecret] = useState(() => secrets.get(id));
  if (!secret) return null;
  return <Once title={w.secretTitle} about={w.secretOnce} text={secret} done={w.secretDone} onDone={() => { secrets.delete(id); setSecret(undefined); }} />;
}

function Test({ webhook, unsaved }: { webhook: Webhook; unsaved: boolean }) {
  const w = useWords(webhookWords);
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<{ good: boolean; text: string }>();
  const [error, setError] = useState<unknown>();
  const test = async () => {
    setBusy(true);
    setError(undefined);
    setResult(undefined);
    try {
      const r = await client.testWebhook(webhook.id);
      const why = r.error ?? (r.http_status === null ? w.noAnswer : w.answered(r.http_status));
      setResult({ good: r.delivered, text: r.delivered ? w.testOk(r.http_status ?? 0, shortDuration(r.duration_ms)) : w.testBad(why) });
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section>
      <div className="row">
        <button type="button" className="small" disabled={busy || unsaved} title={unsaved ? w.testUnsaved : undefined} onClick={() => void test()} data-testid="test">
          {busy ? <span className="spinner" aria-hidden="true" /> : <Icon name="up" size={13} />}{busy ? w.testing : w.test}
        </button>
        {result && <span className="delivery-told" data-tone={result.good ? "good" : "bad"} role="status" data-testid="test-result"><Icon name={result.good ? "check" : "cross"} size={13} />{result.text}</span>}
      </div>
      <ErrorText error={error} />
    </section>
  );
}

function Signature() {
  const w = useWords(webhookWords);
  return (
    <section>
      <details className="more-fields">
        <summary>{w.signature}</summary>
        <div className="stack">
          <p className="faint">{w.signatureAbout}</p>
          <div className="example"><pre tabIndex={0}>{EXAMPLE}</pre><Copy text={EXAMPLE} label={w.exampleName} /></div>
        </div>
      </details>
    </section>
  );
}
