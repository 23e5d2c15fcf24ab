/**
 * Pure state machines: `transition(state, event)` gives the next state and what is to be done. A shell does it and
 * answers with events. No clock, no I/O, no identity: equal inputs give equal outputs, so that the explorer
 * (test/unit/scheduler/explorer) can run the very same code through every interleaving.
 */
export interface Step<S, A> {
  readonly state: S;
  readonly actions: readonly A[];
}

interface NamedState {
  readonly name: string;
}

interface TypedEvent {
  readonly type: string;
}

/** State × event without gaps: a missing cell does not compile. */
export type TransitionTable<S extends NamedState, E extends TypedEvent, A> = {
  readonly [N in S['name']]: {
    readonly [T in E['type']]: (
      state: Extract<S, { readonly name: N }>,
      event: Extract<E, { readonly type: T }>,
    ) => Step<S, A>;
  };
};

export type Transition<S, E, A> = (state: S, event: E) => Step<S, A>;

export function transitionOf<S extends NamedState, E extends TypedEvent, A>(
  table: TransitionTable<S, E, A>,
): Transition<S, E, A> {
  return (state, event) => {
    // The table's type pairs each cell with its state and event; TypeScript cannot follow the pairing through an index.
    const row = table[state.name as S['name']];
    const cell = row[event.type as E['type']] as (state: S, event: E) => Step<S, A>;
    return cell(state, event);
  };
}

/** The event changes nothing in this state: it is late, or tells what is known. */
export function stay<S>(state: S): Step<S, never> {
  return { state, actions: [] };
}

export function step<S, A>(state: S, ...actions: readonly A[]): Step<S, A> {
  return { state, actions };
}
