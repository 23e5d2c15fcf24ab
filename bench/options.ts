/** Options that most benchmarks have. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { BenchFlavour, Flush } from './bench-servers.ts';
import type { HoltOptions } from './holt-run.ts';

export interface CommonOptions {
  readonly server: BenchFlavour;
  readonly flush: Flush;
  /** Shorter, for trying out: figures say little. */
  readonly quick: boolean;
  /** Rounds of both sides of a comparison. */
  readonly repeat: number;
  /** Of everything random. */
  readonly seed: number;
  /** Write a file of record. */
  readonly save: boolean;
  readonly holt: HoltOptions;
}

const COMMON = {
  server: { type: 'string', default: 'mariadb' },
  flush: { type: 'string', default: 'relaxed' },
  mode: { type: 'string', default: 'default' },
  quick: { type: 'boolean', default: false },
  repeat: { type: 'string' },
  seed: { type: 'string', default: '1' },
  'no-save': { type: 'boolean', default: false },
  batch: { type: 'string' },
  pipeline: { type: 'string' },
  profile: { type: 'string' },
  'log-level': { type: 'string', default: 'info' },
  'keep-logs': { type: 'string' },
  'node-options': { type: 'string', default: '' },
} as const satisfies ParseArgsConfig['options'];

/** @throws Error that names the option. */
export function optionsOf<const T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  more: T,
) {
  const { values: own } = parseArgs({ args: [...args], options: { ...COMMON, ...more }, strict: true });
  const values = own as Record<string, string | boolean | undefined>;
  const text = (name: string) => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  const quick = values.quick === true;
  const common: CommonOptions = {
    server: oneOf('server', text('server'), ['mariadb', 'mysql']),
    flush: oneOf('flush', text('flush'), ['relaxed', 'durable']),
    quick,
    repeat: Math.max(1, Number(text('repeat') ?? (quick ? 1 : 3))),
    seed: Number(text('seed')),
    save: values['no-save'] !== true && !quick,
    holt: {
      mode: oneOf('mode', text('mode'), ['default', 'parallel']),
      pipeline: {
        ...(text('batch') === undefined ? {} : { batch: JSON.parse(text('batch') ?? '') as object }),
        ...(text('pipeline') === undefined ? {} : (JSON.parse(text('pipeline') ?? '') as object)),
      },
      profile: text('profile') ?? null,
      logLevel: text('log-level') ?? 'info',
      keepLogs: text('keep-logs') ?? null,
      nodeOptions: text('node-options') ?? '',
    },
  };
  return { common, text, flag: (name: string) => values[name] === true };
}

export function oneOf<const T extends string>(
  name: string,
  value: string | undefined,
  known: readonly T[],
): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new Error(`--${name} is one of ${known.join(', ')}`);
  return found;
}
