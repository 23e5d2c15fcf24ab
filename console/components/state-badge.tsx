/** A state as word and shape: the colour only helps. */
import type { ComponentChildren } from 'preact';
import type { PipelineState } from '../../model/status.ts';

export type Tone = 'good' | 'calm' | 'busy' | 'warn' | 'bad' | 'still' | 'none';

/** Each its own shape, so that none is told by colour alone. */
const SHAPES: Readonly<Record<PipelineState, { readonly tone: Tone; readonly shape: ComponentChildren }>> = {
  running: { tone: 'good', shape: <circle cx="5" cy="5" r="4" fill="currentColor" /> },
  idle: {
    tone: 'calm',
    shape: <circle cx="5" cy="5" r="3.25" fill="none" stroke="currentColor" stroke-width="1.5" />,
  },
  'catching-up': {
    tone: 'busy',
    shape: (
      <path d="M1 1.5 4.5 5 1 8.5M5 1.5 8.5 5 5 8.5" fill="none" stroke="currentColor" stroke-width="1.6" />
    ),
  },
  degraded: { tone: 'warn', shape: <path d="M5 .8 9.6 9.2H.4z" fill="currentColor" /> },
  paused: { tone: 'still', shape: <path d="M1.5 1h2.4v8H1.5zM6.1 1h2.4v8H6.1z" fill="currentColor" /> },
  stopped: { tone: 'still', shape: <path d="M1.2 1.2h7.6v7.6H1.2z" fill="currentColor" /> },
  failed: {
    tone: 'bad',
    shape: (
      <path
        d="m1.5 1.5 7 7m0-7-7 7"
        fill="none"
        stroke="currentColor"
        stroke-width="2.2"
        stroke-linecap="round"
      />
    ),
  },
  unknown: {
    tone: 'none',
    shape: (
      <circle
        cx="5"
        cy="5"
        r="3.6"
        fill="none"
        stroke="currentColor"
        stroke-width="1.4"
        stroke-dasharray="2 1.6"
      />
    ),
  },
};

export function toneOf(state: PipelineState): Tone {
  return SHAPES[state].tone;
}

export function StateMark({ state }: { readonly state: PipelineState }) {
  const { tone, shape } = SHAPES[state];
  return (
    <svg
      class={`mark tone-${tone}`}
      viewBox="0 0 10 10"
      width="10"
      height="10"
      aria-hidden="true"
      focusable="false"
    >
      {shape}
    </svg>
  );
}

export function StateBadge({
  state,
  big = false,
}: {
  readonly state: PipelineState;
  readonly big?: boolean;
}) {
  return (
    <span class={`badge tone-${toneOf(state)}${big ? ' badge-big' : ''}`}>
      <StateMark state={state} />
      {state}
    </span>
  );
}

/** Any other word with a tone: the word says it. */
export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return <span class={`badge tone-${tone}`}>{children}</span>;
}
