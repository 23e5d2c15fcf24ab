import { expect, it } from 'vitest';
import {
  type SessionSignal,
  sessionTransitions,
} from '../../../../../scheduler/tree/client/session-machine.ts';
import type { SessionState } from '../../../../../scheduler/tree/tree.ts';

const states = Object.keys(sessionTransitions) as SessionState[];

function following(state: SessionState): readonly (readonly [SessionSignal, SessionState])[] {
  const row = sessionTransitions[state];
  return (Object.keys(row) as SessionSignal[]).flatMap((signal) => {
    const next = row[signal];
    return next === null ? [] : [[signal, next] as const];
  });
}

it('reaches every state from connecting, and closed from every state', () => {
  const reached = new Set<SessionState>(['connecting']);
  for (let size = 0; size !== reached.size; ) {
    size = reached.size;
    for (const state of [...reached]) for (const [, next] of following(state)) reached.add(next);
  }
  expect([...reached].sort()).toEqual([...states].sort());
  for (const state of states) expect(sessionTransitions[state].stop).toBe('closed');
});

it('never leaves closed', () => {
  expect(following('closed').every(([, next]) => next === 'closed')).toBe(true);
});

it('never comes from lost to connected without a new session', () => {
  // `resumed` keeps the epoch: it may only follow `suspended`, and nothing but a lost link leads there.
  for (const state of states) {
    if (state !== 'suspended') expect(sessionTransitions[state].resumed, state).toBeNull();
    for (const [signal, next] of following(state)) if (next === 'suspended') expect(signal).toBe('link-down');
  }
  expect(following('lost').map(([, next]) => next)).toEqual(['connecting', 'closed']);
});

it('ends an epoch only where there is one', () => {
  for (const state of states) {
    const hasSession = state === 'connected' || state === 'suspended';
    expect(sessionTransitions[state].over, state).toBe(hasSession ? 'lost' : null);
  }
});
