/** A long list, page by page: the newest are asked for again on a beat, the older ones when somebody wants them. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get, type Page } from '../api/client.ts';
import { type Problem, problemOf } from '../api/problem.ts';

type Query = Readonly<Record<string, string | number | null | undefined>>;

export interface Paged<T> {
  /** Null until the first answer. */
  readonly items: readonly T[] | null;
  readonly problem: Problem | null;
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  more(): void;
  again(): void;
}

interface State<T> {
  readonly items: readonly T[] | null;
  readonly next: string | null;
  readonly problem: Problem | null;
  readonly isLoading: boolean;
}

const NOTHING = { items: null, next: null, problem: null, isLoading: true } as const;
const PAGE = 100;

/** `path` null: there is nothing to ask yet. Once older pages are open the list stands still, so that nothing moves under the reader. */
export function usePaged<T>(path: string | null, query: Query, everyMs: number | null = null): Paged<T> {
  const key = `${path} ${JSON.stringify(query)}`;
  const [state, setState] = useState<State<T>>(NOTHING);
  const [round, setRound] = useState(0);
  const older = useRef(false);
  const current = useRef(key);
  current.current = key;
  useEffect(() => {
    setState(NOTHING);
    older.current = false;
  }, [key]);
  useEffect(() => {
    if (path === null) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async () => {
      if (!older.current && !(document.hidden && everyMs !== null))
        try {
          const page: Page<T> = await get<Page<T>>(path, { ...query, limit: PAGE }, controller.signal);
          if (controller.signal.aborted || older.current) return;
          setState({ items: page.items, next: page.next, problem: null, isLoading: false });
        } catch (error) {
          if (controller.signal.aborted) return;
          setState((before) => ({ ...before, problem: problemOf(error), isLoading: false }));
        }
      if (everyMs !== null && !controller.signal.aborted) timer = setTimeout(() => void turn(), everyMs);
    };
    void turn();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, round, everyMs]);
  const more = async () => {
    if (path === null || state.next === null || state.isLoading) return;
    older.current = true;
    setState((before) => ({ ...before, isLoading: true }));
    try {
      const page: Page<T> = await get<Page<T>>(path, { ...query, limit: PAGE, cursor: state.next });
      if (current.current !== key) return;
      setState((before) => ({
        items: [...(before.items ?? []), ...page.items],
        next: page.next,
        problem: null,
        isLoading: false,
      }));
    } catch (error) {
      if (current.current === key)
        setState((before) => ({ ...before, problem: problemOf(error), isLoading: false }));
    }
  };
  const again = useCallback(() => {
    older.current = false;
    setRound((count) => count + 1);
  }, []);
  const { items, problem, isLoading } = state;
  return { items, problem, isLoading, hasMore: state.next !== null, more: () => void more(), again };
}
