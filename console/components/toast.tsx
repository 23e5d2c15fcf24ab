/** Short words about what was just done; problems stay until they are put away. */
import type { Problem } from '../api/problem.ts';
import { Store, useStore } from '../live/store.ts';
import { Icon } from './icon.tsx';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly problem: Problem | null;
}

const toasts = new Store<readonly Toast[]>([]);
const SHOWN_MS = 6_000;
const MOST = 4;
let number = 0;

function put(text: string, problem: Problem | null): number {
  number += 1;
  const id = number;
  toasts.update((list) => [...list.slice(-(MOST - 1)), { id, text, problem }]);
  return id;
}

export function toastDone(text: string): void {
  const id = put(text, null);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function toastProblem(text: string, problem: Problem): void {
  put(text, problem);
}

function dismiss(id: number): void {
  toasts.update((list) => list.filter((one) => one.id !== id));
}

export function Toasts() {
  const list = useStore(toasts);
  return (
    <section class="toasts" aria-label="Messages" aria-live="polite">
      {list.map(({ id, text, problem }) => (
        <div
          key={id}
          class={`toast${problem === null ? '' : ' tone-bad'}`}
          role={problem === null ? 'status' : 'alert'}
        >
          <Icon name={problem === null ? 'check' : 'warning'} />
          <div class="toast-body">
            <p>{text}</p>
            {problem !== null && (
              <p class="toast-detail">
                {problem.message} <code class="code">{problem.code}</code>
                {problem.remedy !== null && <span class="remedy">{problem.remedy}</span>}
              </p>
            )}
          </div>
          <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
    </section>
  );
}
