/** An answer of the API as state: asked for when a component is there, again on a beat, and again after a change. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { type Problem, problemOf } from '../api/problem.ts';

export interface Resource<T> {
  /** The last good answer; it stays while a later question fails. */
  readonly value: T | null;
  readonly problem: Problem | null;
  readonly isLoading: boolean;
  /** By this browser's clock. */
  readonly asOfMs: number | null;
  again(): void;
}

interface State<T> {
  readonly value: T | null;
  readonly problem: Problem | null;
  readonly isLoading: boolean;
  readonly asOfMs: number | null;
}

const EMPTY = { value: null, problem: null, isLoading: true, asOfMs: null } as const;

/**
 * `key` names the question: a new one begins anew. `everyMs` null asks once. While the page is hidden nobody looks, and nothing is asked.
 */
export function useResource<T>(
  key: string,
  ask: (signal: AbortSignal) => Promise<T>,
  everyMs: number | null = null,
): Resource<T> {
  const [state, setState] = useState<State<T>>(EMPTY);
  const [round, setRound] = useState(0);
  useEffect(() => {
    setState(EMPTY);
  }, [key]);
  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async () => {
      if (!document.hidden || everyMs === null) {
        try {
          const value = await ask(controller.signal);
          if (controller.signal.aborted) return;
          setState({ value, problem: null, isLoading: false, asOfMs: Date.now() });
        } catch (error) {
          if (controller.signal.aborted) return;
          setState((before) => ({ ...before, problem: problemOf(error), isLoading: false }));
        }
      }
      if (everyMs !== null && !controller.signal.aborted) timer = setTimeout(() => void turn(), everyMs);
    };
    void turn();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, round, everyMs]);
  const again = useCallback(() => setRound((count) => count + 1), []);
  return { ...state, again };
}

/** The time, again every `everyMs`, for what is said in words like "3 s ago". */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
