// Keys: who may come in. An admin makes and revokes them.

import { useState } from "react";
import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import type { Key } from "@sluice/client";
import { useMay } from "@/app/context";
import { client } from "@/client/http";
import { ago, moment } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Confirm } from "@/ui/kit/dialog";
import { Check } from "@/ui/kit/field";
import { Loaded } from "@/ui/kit/loaded";
import { Empty, Page } from "@/ui/kit/page";
import { More, usePages } from "@/ui/kit/pages";
import { useLang, useWords } from "@/words/words";
import { CreateKey } from "./create";
import { keyWords } from "./words";
import "./keys.css";

export default function Keys() {
  const w = useWords(keyWords);
  const may = useMay();
  if (may("admin")) return <List />;
  return <Page title={w.title} about={w.about}><Empty title={w.title}><p>{w.adminOnly}</p></Empty></Page>;
}

function List() {
  const w = useWords(keyWords);
  useLang();
  const pages = usePages(["keys"], (cursor, signal) => client.listKeys({ limit: 200, cursor }, { signal }));
  const { data: who } = useQuery({ queryKey: ["whoami"], queryFn: ({ signal }) => client.whoami({ signal }) });
  const [creating, setCreating] = useState(false);
  const [all, setAll] = useState(false);
  const none = pages.items?.length === 0;
  const items = pages.items?.filter((k) => all || k.status === "active") ?? [];
  const over = (pages.items?.length ?? 0) > (pages.items?.filter((k) => k.status === "active").length ?? 0);
  const button = <button type="button" className="primary" onClick={() => setCreating(true)} data-testid="new-key"><Icon name="plus" size={14} />{w.create}</button>;
  return (
    <Page title={w.title} about={w.about} actions={none ? undefined : button} className="keys">
      <Loaded query={pages.query as UseQueryResult<unknown>}>
        {() => (none ? <Empty title={w.emptyTitle} action={button}><p>{w.emptyAbout}</p></Empty> : (
          <>
            {over && <div className="toolbar"><Check label={w.showAll} checked={all} onChange={setAll} testId="show-all" /></div>}
            <div className="table-wrap" tabIndex={0} role="region" aria-label={w.title}>
              <table className="data-table" data-testid="keys">
                <thead><tr><th scope="col">{w.name}</th><th scope="col">{w.role}</th><th scope="col">{w.key}</th><th scope="col">{w.status}</th><th scope="col">{w.lastUsed}</th><th scope="col">{w.expires}</th><th scope="col"><span className="sr">{w.revoke}</span></th></tr></thead>
                <tbody>{items.map((k) => <Row key={k.id} item={k} own={who?.key_id === k.id} />)}</tbody>
              </table>
            </div>
            <More pages={pages} />
          </>
        ))}
      </Loaded>
      <Roles />
      {creating && <CreateKey first={Boolean(none) && who?.kind === "anonymous"} onClose={() => setCreating(false)} />}
    </Page>
  );
}

function Row({ item: k, own }: { item: Key; own: boolean }) {
  const w = useWords(keyWords);
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const revoke = async () => {
    await client.revokeKey(k.id);
    void queries.invalidateQueries({ queryKey: ["keys"] });
  };
  const state = { active: w.active, expired: w.expired, revoked: w.revoked }[k.status];
  return (
    <tr data-testid="key-row">
      <td><strong>{k.name}</strong>{own && <span className="faint"> · {w.yours}</span>}{k.workspace !== "default" && <span className="chip">{k.workspace}</span>}<div className="faint">{w.created} {moment(k.created_at)}</div></td>
      <td>{w.roles[k.role]}</td>
      <td><code>{k.prefix}…</code></td>
      <td><span className="chip" data-tone={k.status === "active" ? "good" : undefined}><Icon name={k.status === "active" ? "check" : "cross"} size={12} />{state}</span></td>
      <td>{k.last_used_at ? ago(k.last_used_at) : w.notUsed}</td>
      <td>{k.status === "revoked" ? moment(k.revoked_at) : k.expires_at ? moment(k.expires_at) : w.never}</td>
      <td className="actions">
        {k.status === "active" && <button type="button" className="small danger" onClick={() => setAsking(true)} data-testid="revoke">{w.revoke}</button>}
        {asking && <Confirm title={w.revokeTitle(k.name)} action={w.revoke} danger onConfirm={revoke} onClose={() => setAsking(false)}><p>{w.revokeAbout}</p>{own && <p><strong>{w.revokeOwn}</strong></p>}</Confirm>}
      </td>
    </tr>
  );
}

function Roles() {
  const w = useWords(keyWords);
  return (
    <section className="roles">
      <h2>{w.rolesTitle}</h2>
      <dl className="facts-list">
        {(["viewer", "operator", "editor", "admin"] as const).map((r) => <div key={r} className="fact"><dt>{w.roles[r]}</dt><dd>{w.may[r]}</dd></div>)}
      </dl>
    </section>
  );
}
