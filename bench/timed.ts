/** Times a side of a comparison from its start command until the last part of the backlog can be read at the target. */
import { loadavg } from 'node:os';
import type { DatabaseServer } from '../test/support/database-server.ts';
import { type Backlog, END_TABLE, PARTS, SCHEMA } from './backlog.ts';
import { cpuSeconds, flushStatement } from './bench-servers.ts';
import { rounded, type Timing } from './measurement.ts';

/** Sharp enough for times of seconds; the question costs the target a few hundredths of a core. */
const POLL_MS = 4;
const STUCK_MS = 1_800_000;

export interface Timed {
  readonly name: string;
  readonly backlog: Backlog;
  readonly target: DatabaseServer;
  /** CPU seconds so far of what replicates; null where that is the server itself. */
  readonly cpu: (() => number) | null;
  /** SQL for the checkpoint's seq. */
  readonly seq: string | null;
  /** SQL that is true while a batch is there in part (mode `parallel`): what can be read then does not count yet. */
  readonly inPart?: string;
  /** Timed no longer than that: then up to the last part that has arrived. Default: to the end. */
  readonly limitMs?: number;
  readonly go: () => Promise<void>;
  /** Why the end will never come; null while it may. */
  readonly trouble: () => Promise<string | null>;
}

interface Seen {
  readonly atMs: number;
  readonly parts: number;
  readonly seq: number;
  readonly targetCpu: number;
  readonly sourceCpu: number;
  readonly cpu: number;
}

export async function timed(options: Timed): Promise<Timing> {
  const { name, backlog, target, seq, go, trouble } = options;
  const connection = await target.db.connect();
  const look = async (): Promise<Seen> => {
    const [rows] = await connection.query(
      `SELECT IF(${options.inPart ?? '0'}, 0, (SELECT COUNT(*) FROM ${SCHEMA}.${END_TABLE})) AS parts, ${seq ?? '0'} AS seq`,
    );
    const [row] = rows as { parts: unknown; seq: unknown }[];
    return {
      atMs: performance.now(),
      parts: Number(row?.parts),
      seq: Number(row?.seq ?? 0),
      targetCpu: cpuSeconds(target.pid),
      sourceCpu: cpuSeconds(backlog.source.pid),
      cpu: options.cpu?.() ?? 0,
    };
  };
  const before = await look();
  const startMs = performance.now();
  let firstMs: number | null = null;
  let last: Seen = before;
  let isTimed = true;
  let lookedMs = startMs;
  await go();
  for (;;) {
    const now = await look();
    if (firstMs === null && now.seq !== before.seq) firstMs = now.atMs - startMs;
    if (isTimed && now.parts > last.parts) last = now;
    if (now.parts === PARTS) break;
    if (isTimed && last.parts > 0 && now.atMs - startMs > (options.limitMs ?? STUCK_MS)) {
      // What is left counts for equality only.
      isTimed = false;
      await target.db.query(flushStatement('relaxed'));
    }
    if (now.atMs - lookedMs > 2_000) {
      lookedMs = now.atMs;
      const why = await trouble();
      if (why !== null) throw new Error(`${name}: ${why}`);
      if (now.atMs - startMs > STUCK_MS) throw new Error(`${name}: not done in ${STUCK_MS / 60_000} minutes`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  await connection.end();
  const seconds = (last.atMs - startMs) / 1000;
  const rows = backlog.rowsBehind[last.parts - 1] ?? 0;
  return {
    name,
    seconds: rounded(seconds, 3),
    rows,
    rows_per_s: Math.round(rows / seconds),
    firstCommitSeconds: firstMs === null ? null : rounded(firstMs / 1000, 3),
    batches: seq === null ? null : last.seq - before.seq,
    targetCpuSeconds: rounded(last.targetCpu - before.targetCpu, 2),
    sourceCpuSeconds: rounded(last.sourceCpu - before.sourceCpu, 2),
    nodesCpuSeconds: options.cpu === null ? null : rounded(last.cpu - before.cpu, 2),
    load: rounded(loadavg()[0] ?? 0, 1),
  };
}
