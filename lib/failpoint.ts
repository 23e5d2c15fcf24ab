/**
 * Named places at which a test stops, kills, delays or fails the real program. Nothing happens unless the environment
 * variable `HOLT_FAILPOINTS` names the place; then a line on stderr says so before the action.
 *
 *     HOLT_FAILPOINTS := rule (';' rule)*
 *     rule            := name '=' action ['@' n]       acts at the n-th passing only, 1 unless told otherwise; '@*' at every one
 *     action          := 'kill'        SIGKILL to this process
 *                      | 'stop'        SIGSTOP to this process: it goes on after SIGCONT
 *                      | 'sleep' ms    for example sleep500
 *                      | 'error'       throws a HoltError that may be retried
 *
 * The variable is read at every passing, so that a test in the same process can set it later.
 */
import { writeSync } from 'node:fs';
import { systemClock } from './clock.ts';
import { HoltError } from './errors.ts';

export type FailpointAction =
  | { readonly kind: 'kill' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'error' };

export interface FailpointRule {
  readonly name: string;
  readonly action: FailpointAction;
  /** Which passing acts, counted from 1; null for every one. */
  readonly at: number | null;
}

const RULE = /^([a-z0-9:-]+)=(kill|stop|error|sleep([0-9]{1,7}))(?:@([0-9]{1,9}|\*))?$/;

/** @throws HoltError HOLT_FAILPOINT_INVALID naming the rule that cannot be read. */
export function parseFailpoints(text: string): readonly FailpointRule[] {
  return text
    .split(';')
    .map((rule) => rule.trim())
    .filter((rule) => rule !== '')
    .map((rule) => {
      const [, name, action, ms, at] = RULE.exec(rule) ?? [];
      if (name === undefined || action === undefined)
        throw new HoltError('HOLT_FAILPOINT_INVALID', `${JSON.stringify(rule)} is no failpoint rule`, {
          disposition: 'fatal',
        });
      return { name, action: actionOf(action, ms), at: at === '*' ? null : Number(at ?? 1) };
    });
}

function actionOf(text: string, ms: string | undefined): FailpointAction {
  if (ms !== undefined) return { kind: 'sleep', ms: Number(ms) };
  return { kind: text === 'kill' ? 'kill' : text === 'stop' ? 'stop' : 'error' };
}

/** Rules of the text last read, and how often each place has been passed since. */
let armed: {
  readonly text: string;
  readonly rules: readonly FailpointRule[];
  readonly passed: Map<string, number>;
} | null = null;

/** Passes the place `name`. @throws HoltError HOLT_FAILPOINT where an `error` rule says so. */
export async function failpoint(name: string): Promise<void> {
  const text = process.env.HOLT_FAILPOINTS;
  if (text === undefined || text === '') return;
  if (armed?.text !== text) armed = { text, rules: parseFailpoints(text), passed: new Map() };
  const passing = (armed.passed.get(name) ?? 0) + 1;
  armed.passed.set(name, passing);
  for (const rule of armed.rules)
    if (rule.name === name && (rule.at === null || rule.at === passing)) await act(rule);
}

async function act({ name, action }: FailpointRule): Promise<void> {
  writeSync(2, `failpoint ${name} ${action.kind}\n`);
  switch (action.kind) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'stop':
      process.kill(process.pid, 'SIGSTOP');
      return;
    case 'sleep':
      return systemClock.sleep(action.ms);
    case 'error':
      throw new HoltError('HOLT_FAILPOINT', `failpoint ${name}`, { disposition: 'retry' });
    default:
      return action satisfies never;
  }
}
