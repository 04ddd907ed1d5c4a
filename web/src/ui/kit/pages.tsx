// Lists that the server gives page by page.

import { keepPreviousData, useInfiniteQuery, type InfiniteData, type QueryClient, type UseInfiniteQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";
import { common } from "@/words/common";
import { useWords } from "@/words/words";

export interface ServerPage<T> { items: T[]; next_cursor: string | null }

export interface Pages<T> {
  query: UseInfiniteQueryResult<{ pages: ServerPage<T>[] }>;
  /** All that was read so far; undefined: nothing was yet. */
  items: T[] | undefined;
}

interface Options { enabled?: boolean; refetchInterval?: number }

/** The key begins with the resource and holds every filter; what another filter found stays until the new answer is there. */
export function usePages<T>(key: readonly unknown[], read: (cursor: string | undefined, signal: AbortSignal) => Promise<ServerPage<T>>, options: Options = {}): Pages<T> {
  const query = useInfiniteQuery({
    queryKey: key, initialPageParam: undefined as string | undefined, placeholderData: keepPreviousData, ...options,
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    getNextPageParam: (last: ServerPage<T>) => last.next_cursor ?? undefined,
  });
  const items = useMemo(() => query.data?.pages.flatMap((p) => p.items), [query.data]);
  return { query, items };
}

/** What was deleted leaves its lists at once; then they are read again. */
export function dropFromPages(queries: QueryClient, resource: string, id: string) {
  queries.setQueriesData<InfiniteData<ServerPage<{ id: string }>>>({ queryKey: [resource, "list"] }, (was) =>
    was && { ...was, pages: was.pages.map((p) => ({ ...p, items: p.items.filter((item) => item.id !== id) })) });
  void queries.invalidateQueries({ queryKey: [resource] });
}

export function More<T>({ pages: { query } }: { pages: Pages<T> }) {
  const c = useWords(common);
  if (!query.hasNextPage) return null;
  return (
    <button type="button" className="small more" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()} data-testid="more">
      {query.isFetchingNextPage && <span className="spinner" aria-hidden="true" />}{c.more}
    </button>
  );
}
