import type { Step } from '../../scheduler/machine/machine.ts';

/** State × event without gaps, each cell in words: `stay`, or the next state's name and the actions. */
export type Cells<S extends { readonly name: string }, E extends { readonly type: string }> = {
  readonly [N in S['name']]: { readonly [T in E['type']]: string };
};

/** One example of each state, and of each event. */
export type Examples<S extends { readonly name: string }, E extends { readonly type: string }> = {
  readonly states: { readonly [N in S['name']]: Extract<S, { readonly name: N }> };
  readonly events: { readonly [T in E['type']]: Extract<E, { readonly type: T }> };
};

/** What the machine does in every cell, in the words of `Cells`. */
export function cellsOf<
  S extends { readonly name: string },
  E extends { readonly type: string },
  A extends { readonly type: string },
>(transition: (state: S, event: E) => Step<S, A>, { states, events }: Examples<S, E>): Cells<S, E> {
  const rows = Object.entries<S>(states).map(([name, state]) => {
    const cells = Object.entries<E>(events).map(([type, event]) => {
      const next = transition(state, event);
      const actions = next.actions.map((action) => action.type).join(', ');
      const text =
        next.state === state && actions === ''
          ? 'stay'
          : `${next.state.name}${actions === '' ? '' : `: ${actions}`}`;
      return [type, text];
    });
    return [name, Object.fromEntries(cells)];
  });
  return Object.fromEntries(rows) as Cells<S, E>;
}
