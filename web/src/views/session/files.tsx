// Files of a session: the list, and one file with its versions. Which one is open stands in the address (?file=, ?version=, ?with=).

import { useState } from "react";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { File as SessionFile } from "@sluice/client";
import { setQuery } from "@/app/route";
import { client } from "@/client/http";
import { useSession, useStore } from "@/session/hooks";
import { Diff } from "@/ui/diff";
import { download } from "@/ui/download";
import { ago, moment } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { Empty } from "@/ui/kit/page";
import { Markdown } from "@/ui/markdown";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { useAgain, useRunMoves } from "./again";
import { filesWords } from "./files-words";

const PAGE = 100;

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  return n < 1024 * 1024 ? `${(n / 1024).toFixed(1)} kB` : `${(n / 1024 / 1024).toFixed(1)} MB`;
}

export function Files({ query }: { query: URLSearchParams }) {
  const path = query.get("file");
  return <div className="tab-scroll files">{path ? <OneFile key={path} path={path} query={query} /> : <FileList />}</div>;
}

function FileList() {
  const w = useWords(filesWords);
  const c = useWords(common);
  const id = useStore().sessionId;
  useAgain(["files", id, "list"], useRunMoves());
  const isReplay = useSession((s) => s.mode === "replay");
  const files = useInfiniteQuery({
    queryKey: ["files", id, "list"], placeholderData: keepPreviousData, initialPageParam: "",
    queryFn: ({ pageParam, signal }) => client.listFiles(id, { limit: PAGE, cursor: pageParam || null }, { signal }),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
  const all = { ...files, data: files.data?.pages.flatMap((p) => p.items) } as unknown as ReturnType<typeof useQuery<SessionFile[]>>;
  return (
    <Loaded query={all}>
      {(items) => items.length === 0 ? <Empty title={w.empty}><p>{w.emptyAbout}</p></Empty> : (
        <>
          {isReplay && <p className="faint files-note">{w.replay}</p>}
          <ul className="file-list" aria-label={w.list}>
            {items.map((f) => (
              <li key={f.path}>
                <button type="button" onClick={() => setQuery({ file: f.path, version: undefined, with: undefined })} data-testid="file">
                  <Icon name="file" size={15} /><span className="file-path">{f.path}</span>
                  {f.deleted && <span className="chip" data-tone="bad">{w.deleted}</span>}
                  <span className="faint">{c.version(f.version)}</span><span className="faint">{bytes(f.size)}</span><span className="faint">{ago(f.created_at)}</span>
                </button>
              </li>
            ))}
          </ul>
          {files.hasNextPage && <button type="button" disabled={files.isFetchingNextPage} onClick={() => void files.fetchNextPage()}>{c.more}</button>}
        </>
      )}
    </Loaded>
  );
}

const leave = () => setQuery({ file: undefined, version: undefined, with: undefined });
const numberIn = (query: URLSearchParams, name: string) => Number(query.get(name)) || undefined;

function OneFile({ path, query }: { path: string; query: URLSearchParams }) {
  const w = useWords(filesWords);
  const id = useStore().sessionId;
  useAgain(["files", id, "versions", path], useRunMoves());
  const versions = useQuery({
    queryKey: ["files", id, "versions", path], placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => (await client.listFileVersions(id, { path, limit: 500 }, { signal })).items,
  });
  return (
    <>
      <div className="row file-head">
        <button type="button" className="quiet small" onClick={leave} data-testid="all-files"><Icon name="list" size={14} />{w.back}</button>
        <h2 className="mono">{path}</h2>
      </div>
      <Loaded query={versions}>
        {(items) => {
          const chosen = items.find((f) => f.version === numberIn(query, "version")) ?? items[0];
          return chosen ? <Version path={path} file={chosen} versions={items} against={numberIn(query, "with")} /> : <Empty title={w.empty} />;
        }}
      </Loaded>
    </>
  );
}

function Version({ path, file, versions, against }: { path: string; file: SessionFile; versions: SessionFile[]; against?: number }) {
  const w = useWords(filesWords);
  return (
    <div className="file-version">
      <nav aria-label={w.versions}>
        <ul className="version-list" data-testid="versions">
          {versions.map((v) => (
            <li key={v.version}>
              <button type="button" aria-current={v.version === file.version || undefined} onClick={() => setQuery({ version: v.version, with: against === v.version ? undefined : against })}>
                <strong>{w.version(v.version)}</strong>
                <span className="faint">{[v.author && w.by(v.author), moment(v.created_at), v.from_version ? w.rolledBack(v.from_version) : ""].filter(Boolean).join(" · ")}</span>
                {v.reason && <span className="faint">{v.reason}</span>}
              </button>
            </li>
          ))}
        </ul>
      </nav>
      <Content path={path} file={file} versions={versions} against={against} />
    </div>
  );
}

function useContent(path: string, version: number | undefined) {
  const id = useStore().sessionId;
  return useQuery({
    queryKey: ["files", id, "content", path, version], enabled: version !== undefined, staleTime: Infinity,
    queryFn: ({ signal }) => client.readFile(id, { path, version }, { signal }),
  });
}

const isMarkdown = (f: SessionFile) => /\.(md|markdown)$/i.test(f.path) || /markdown/.test(f.media_type ?? "");

function Content({ path, file, versions, against }: { path: string; file: SessionFile; versions: SessionFile[]; against?: number }) {
  const w = useWords(filesWords);
  const content = useContent(path, file.deleted ? undefined : file.version);
  const [asText, setAsText] = useState(false);
  const others = versions.filter((v) => v.version !== file.version && !v.deleted);
  const save = () => {
    const { data } = content;
    if (data) download(path.split("/").pop() ?? path, data.encoding === "base64" ? Uint8Array.from(atob(data.content), (ch) => ch.charCodeAt(0)) : data.content, file.media_type ?? "application/octet-stream");
  };
  return (
    <section className="file-content" aria-label={w.content}>
      <div className="row">
        {others.length > 0 && (
          <label className="file-compare">{w.compare}{" "}
            <select value={against ?? ""} onChange={(e) => setQuery({ with: e.target.value || undefined })} data-testid="compare-with">
              <option value="">—</option>
              {others.map((v) => <option key={v.version} value={v.version}>{w.version(v.version)}</option>)}
            </select>
          </label>
        )}
        {isMarkdown(file) && !against && (
          <div className="tabs" role="group" aria-label={w.view}>
            <button type="button" aria-pressed={!asText} onClick={() => setAsText(false)}>{w.rendered}</button>
            <button type="button" aria-pressed={asText} onClick={() => setAsText(true)}>{w.source}</button>
          </div>
        )}
        <span className="faint">{bytes(file.size)}</span>
        <button type="button" className="small" disabled={!content.data} onClick={save} data-testid="file-download"><Icon name="download" size={14} />{w.download}</button>
      </div>
      {file.deleted ? <p className="faint">{w.gone}</p> : (
        <Loaded query={content}>
          {(data) => data.encoding === "base64" ? <p className="faint">{w.binary}</p>
            : against ? <Compared path={path} from={against} to={file.version} after={data.content} />
              : isMarkdown(file) && !asText ? <div className="card file-page" data-testid="file-page"><Markdown text={data.content} streaming={false} /></div>
                : <pre className="value file-text" tabIndex={0} data-testid="file-text">{data.content}</pre>}
        </Loaded>
      )}
    </section>
  );
}

function Compared({ path, from, to, after }: { path: string; from: number; to: number; after: string }) {
  const w = useWords(filesWords);
  const other = useContent(path, from);
  // The older one is "before", whichever of the two was chosen first.
  return (
    <Loaded query={other}>
      {(data) => {
        if (data.encoding === "base64") return <p className="faint">{w.binary}</p>;
        const [a, b] = from < to ? [data.content, after] : [after, data.content];
        return <Diff before={a} after={b} beforeLabel={w.version(Math.min(from, to))} afterLabel={w.version(Math.max(from, to))} />;
      }}
    </Loaded>
  );
}
