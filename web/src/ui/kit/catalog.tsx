// Stored objects: the list at the left, the chosen one's form at the right. On a small screen one of both.

import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import type { UseQueryResult } from "@tanstack/react-query";
import { setQuery } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import { ApiError } from "@/client/http";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { dict, useWords } from "@/words/words";
import type { Draft } from "./draft";
import { ErrorText, Loaded } from "./loaded";
import { Empty, Page } from "./page";
import { More, type Pages } from "./pages";
import { RemoveDialog } from "./remove";
import "./catalog.css";

export const catalogWords = dict({
  en: {
    nothingFits: (q: string) => `Nothing fits “${q}”.`, list: "List", gone: "It is not there (any more).", system: "came with the server", readOnly: "Your key may look at this, not change it.",
    choose: "Choose one on the left, or make a new one.", outdated: "Somebody else has changed this meanwhile.", loadTheirs: "Load theirs, drop mine", saveMine: "Save mine over it",
    stale: "Your changes were not saved.", saved: "Saved", allSaved: "Everything is saved.", notSaved: "There are changes that are not saved.",
    deleteTitle: (name: string) => `Delete “${name}”?`,
  },
  zh: {
    nothingFits: (q: string) => `没有与“${q}”匹配的内容。`, list: "列表", gone: "它（已）不存在。", system: "服务器自带", readOnly: "你的密钥只能查看，不能更改。",
    choose: "在左侧选择一项，或新建一项。", outdated: "其他人刚刚更改了它。", loadTheirs: "载入对方的，放弃我的", saveMine: "用我的覆盖",
    stale: "你的更改尚未保存。", saved: "已保存", allSaved: "全部已保存。", notSaved: "有未保存的更改。",
    deleteTitle: (name: string) => `删除“${name}”？`,
  },
});

export interface CatalogRow { id: string; title: string; note?: string; mark?: ReactNode; chip?: ReactNode }

interface Props<T> {
  title: string;
  about: ReactNode;
  pages: Pages<T>;
  row: (item: T) => CatalogRow;
  address: (id: string) => string;
  back: string;
  chosen?: string;
  search?: { q: string; label: string };
  create?: { label: string; address: string; disabled?: string };
  empty: { title: string; about: ReactNode };
  /** What stands at the right while nothing is chosen. */
  rest?: ReactNode;
  children?: ReactNode;
}

export function Catalog<T>({ title, about, pages, row, address, back, chosen, search, create, empty, rest, children }: Props<T>) {
  const w = useWords(catalogWords);
  const c = useWords(common);
  const { items, query } = pages;
  const newLink = create && (create.disabled
    ? <button type="button" className="primary" disabled title={create.disabled}><Icon name="plus" size={14} />{create.label}</button>
    : <a className="button primary" href={create.address} data-testid="new"><Icon name="plus" size={14} />{create.label}</a>);
  useShortcuts(create && !create.disabled ? [{ keys: "n", what: create.label, run: () => { location.hash = create.address; } }] : []);
  const none = items?.length === 0 && !search?.q && !chosen;
  return (
    <Page title={title} about={about} actions={none ? undefined : newLink} className="catalog-page">
      {none ? <Empty title={empty.title} action={newLink}>{empty.about}</Empty> : (
        <div className="catalog" data-chosen={chosen ? true : undefined}>
          <section className="catalog-list" aria-label={w.list}>
            {search && <SearchField {...search} />}
            <Loaded query={query as UseQueryResult<unknown>}>
              {() => (
                <>
                  <ul data-testid="catalog-list">
                    {(items ?? []).map((item) => {
                      const r = row(item);
                      return (
                        <li key={r.id}>
                          <a href={address(r.id)} aria-current={r.id === chosen ? "true" : undefined} data-testid={`row-${r.id}`}>
                            {r.mark !== undefined && <span className="catalog-mark" aria-hidden="true">{r.mark}</span>}
                            <span className="catalog-text"><strong>{r.title}</strong>{r.note && <span>{r.note}</span>}</span>
                            {r.chip}
                          </a>
                        </li>
                      );
                    })}
                  </ul>
                  {items?.length === 0 && search?.q && <p className="hint">{w.nothingFits(search.q)}</p>}
                  <More pages={pages} />
                </>
              )}
            </Loaded>
          </section>
          <div className="catalog-detail">
            {chosen && <a className="button small quiet catalog-back" href={back}><Icon name="chevron" size={13} />{c.back}</a>}
            {children ?? rest ?? <p className="hint catalog-rest">{w.choose}</p>}
          </div>
        </div>
      )}
    </Page>
  );
}

/** The search stands in the address (`?q=`), so that a reload and a link show the same. */
export function SearchField({ q, label }: { q: string; label: string }) {
  const [text, setText] = useState(q);
  useEffect(() => {
    if (text === q) return;
    const timer = setTimeout(() => setQuery({ q: text }), 250);
    return () => clearTimeout(timer);
  }, [text, q]);
  return (
    <div className="search">
      <Icon name="search" size={14} />
      <input type="search" aria-label={label} placeholder={label} value={text} onChange={(e) => setText(e.target.value)} data-testid="search" />
    </div>
  );
}

/** In a list: this one came with the server. */
export function SystemSign() {
  const w = useWords(catalogWords);
  return <span className="system-sign" title={w.system}><Icon name="template" size={13} /><span className="sr">{w.system}</span></span>;
}

/** What was asked for by its id: not there is a sentence, not a failure. */
export function Chosen<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  const w = useWords(catalogWords);
  if (query.error instanceof ApiError && query.error.status === 404) return <p className="hint">{w.gone}</p>;
  return <Loaded query={query}>{children}</Loaded>;
}

interface FormProps<F extends object> {
  title: ReactNode;
  mark?: ReactNode;
  chips?: ReactNode;
  actions?: ReactNode;
  draft: Draft<F>;
  /** Why nothing can be changed; without it, it can. */
  locked?: ReactNode;
  isNew: boolean;
  /** What the button of a new one says. */
  createLabel?: string;
  onRemove?: { name: string; about: ReactNode; detachAbout?: ReactNode; run: (detach: boolean) => Promise<void> };
  children: ReactNode;
  /** Below the form: what is not saved with it. */
  after?: ReactNode;
}

/** The chosen object: its head, its form, and what is to be said about saving it. */
export function ObjectForm<F extends object>({ title, mark, chips, actions, draft, locked, isNew, createLabel, onRemove, children, after }: FormProps<F>) {
  const c = useWords(common);
  const [removing, setRemoving] = useState(false);
  const w = useWords(catalogWords);
  const box = useRef<HTMLFormElement>(null);
  const head = useRef<HTMLHeadingElement>(null);
  // Coming from the list the focus was on a link that is not there any more.
  useEffect(() => { if (!isNew && document.activeElement === document.body) head.current?.focus({ preventScroll: true }); }, [isNew]);
  const wrong = Object.keys(draft.errors).length > 0;
  useEffect(() => { if (wrong && !draft.saving) box.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus(); }, [wrong, draft.saving]);
  const submit = (e?: FormEvent) => {
    e?.preventDefault();
    if (!locked && !draft.saving && (draft.dirty || isNew)) void draft.save();
  };
  useShortcuts(locked ? [] : [{ keys: "ctrl+s", what: c.save, inFields: true, run: () => submit() }]);
  return (
    <div className="object">
      <header className="object-head">
        {mark !== undefined && <span className="object-mark" aria-hidden="true">{mark}</span>}
        <h2 ref={head} tabIndex={-1} data-testid="object-title">{title}</h2>
        {chips}
        <div className="object-actions">
          {actions}
          {onRemove && <button type="button" className="small danger" onClick={() => setRemoving(true)} data-testid="delete"><Icon name="trash" size={13} />{c.remove}</button>}
        </div>
      </header>
      {locked && <p className="banner object-note" role="note">{locked}</p>}
      {draft.outdated && (
        <div className="banner object-note" data-tone="warn" role="alert" data-testid="conflict">
          <p><strong>{w.outdated}</strong> {w.stale}</p>
          <button type="button" className="small" onClick={() => void draft.reset()} data-testid="load-theirs">{w.loadTheirs}</button>
          <button type="button" className="small" onClick={() => void draft.save(true)} data-testid="save-mine">{w.saveMine}</button>
        </div>
      )}
      <form ref={box} onSubmit={submit} noValidate data-testid="object-form">
        <fieldset disabled={Boolean(locked) || draft.saving} className="plain stack">{children}</fieldset>
        <ErrorText error={draft.rest} />
        {!locked && (
          <div className="save-bar" data-dirty={draft.dirty || isNew || undefined}>
            <button type="submit" className="primary" disabled={draft.saving || !(draft.dirty || isNew)} data-testid="save">
              {draft.saving && <span className="spinner" aria-hidden="true" />}{draft.saving ? c.saving : isNew ? createLabel ?? c.create : c.save}
            </button>
            {draft.dirty && !isNew && <button type="button" className="quiet" onClick={() => void draft.reset()} data-testid="discard">{c.discard}</button>}
            <span className="faint" role="status">{isNew ? "" : draft.dirty ? w.notSaved : w.allSaved}</span>
          </div>
        )}
      </form>
      {after}
      {removing && onRemove && (
        <RemoveDialog title={w.deleteTitle(onRemove.name)} about={onRemove.about} detachAbout={onRemove.detachAbout} run={onRemove.run} onClose={() => setRemoving(false)} />
      )}
    </div>
  );
}
