/** Schema changes as batches of a pipeline under test, and processes that are killed or frozen while they load them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TransactionAssembler } from '../../../canal/assembler/transaction-assembler.ts';
import { EventDecoder } from '../../../canal/event/decoder.ts';
import { scanLog } from '../../../canal/source/scan-log.ts';
import { waitFor } from '../../../lib/abort.ts';
import type { DdlPolicyKind } from '../../../model/ddl.ts';
import type { SqlServer } from '../../../model/ddl-kind.ts';
import type { SourceItem, StatementSession } from '../../../model/source-item.ts';
import type { LogPlace } from '../../../stages/load/ddl/ddl.ts';
import { readLogEnd } from '../../../stages/load/ddl/target-log.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import type { DatabaseEndpoint } from '../../support/database.ts';
import { at, type Pipeline, type RaisedReign, type SqlBatch } from './load-fixture.ts';

/** One statement of the source, and what it is about at the target. */
export interface DdlStep {
  readonly kind: DdlPolicyKind;
  readonly sql: string;
  /** `schema`, `table`. */
  readonly tables: readonly (readonly [string, string])[];
  readonly session?: StatementSession;
  /** The source's; MySQL 8.0 unless given. */
  readonly server?: SqlServer;
}

/** A batch that is the statement, in its place: the first has seq 1. */
export function ddlBatch(pipeline: Pipeline, reign: RaisedReign, seq: number, step: DdlStep): SqlBatch {
  const header = pipeline.header(reign, seq, { rows: 0, ddl: step.kind });
  const sql = Buffer.from(step.sql);
  return {
    bytes: 100,
    sql: [],
    careful: [],
    batch: {
      header,
      payload: Buffer.alloc(0),
      routes: [],
      ddl: {
        statement: {
          schema: '',
          sql,
          threadId: 1,
          nature: 'ddl',
          sqlMode: 0x4000_0000n,
          charset: 45,
          kind: step.kind,
          sourceRef: `binlog.000001:${at(seq).at?.offset}`,
          server: step.server ?? { flavour: 'mysql', version: 80_011 },
          caseSensitive: true,
          ...(step.session === undefined ? {} : { session: step.session }),
        },
        mapped: {
          kind: 'run',
          sql,
          defaultSchema: null,
          database: null,
          concerns: step.tables.map(([schema, table]) => ({
            source: { schema, table },
            target: { schema, table },
          })),
        },
      },
    },
  };
}

export interface DdlTask {
  readonly endpoint: DatabaseEndpoint;
  readonly name: string;
  readonly table: string;
  readonly reign: { readonly epoch: number; readonly tenure: string };
  readonly steps: readonly DdlStep[];
}

const CHILD = fileURLToPath(new URL('./ddl-child.ts', import.meta.url));

/** A process that loads the statements one after the other, until a failpoint. */
export class DdlProcess implements AsyncDisposable {
  readonly #child: ReturnType<typeof spawn>;
  readonly #failpoints: string;
  #output = '';

  constructor(task: DdlTask, failpoints: string) {
    this.#failpoints = failpoints;
    this.#child = spawn(process.execPath, ['--import', 'tsx', CHILD], {
      env: { ...process.env, HOLT_FAILPOINTS: failpoints, HOLT_TEST_TASK: JSON.stringify(task) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (data) => {
      this.#output += data;
    });
  }

  async killed(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    if (this.#child.signalCode !== 'SIGKILL')
      throw new Error(`not killed at ${this.#failpoints}: ${this.#output}`);
  }

  async frozen(): Promise<void> {
    await waitFor(
      () => {
        if (this.#child.exitCode !== null) throw new Error(`ended instead of freezing: ${this.#output}`);
        // proc(5): the state follows the name in parentheses.
        const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
      },
      { timeoutMs: 60_000, what: `frozen at ${this.#failpoints}` },
    );
  }

  /** Lets it go on; the last outcome that it tells. */
  async wake(): Promise<string> {
    this.#child.kill('SIGCONT');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    return (
      this.#output
        .match(/^outcome .*$/gm)
        ?.at(-1)
        ?.slice(8) ?? `nothing: ${this.#output}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

export async function logEnd(pipeline: Pipeline): Promise<LogPlace> {
  const session = await connectTarget(pipeline.config);
  try {
    const end = await readLogEnd(session, session.server);
    if (end === null) throw new Error('the server writes no log');
    return end;
  } finally {
    await session.close();
  }
}

/** Schema changes in the target's log since `from` that mention `text`, in order. */
export async function statementsSince(pipeline: Pipeline, from: LogPlace, text: string): Promise<string[]> {
  const decoder = new EventDecoder();
  const items: SourceItem[] = [];
  const assembler = new TransactionAssembler({
    shapeOf: () => null,
    countRows: () => 0,
    readMark: () => null,
    partBytes: Number.MAX_SAFE_INTEGER,
    emit: (item) => items.push(item),
  });
  for await (const raw of scanLog({ endpoint: pipeline.config, file: from.file, from: from.offset }))
    assembler.push(decoder.decodeVerified(raw.bytes, raw.header), raw);
  return items
    .flatMap((item) => (item.kind === 'statement' ? [item.sql.toString('utf8')] : []))
    .filter((sql) => sql.includes(text));
}
