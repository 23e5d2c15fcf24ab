/** sysbench's `oltp_write_only` as a backlog: four row changes a transaction (an update of an indexed column, one of another, a DELETE and an INSERT). */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DatabaseServer } from '../test/support/database-server.ts';
import { programOf } from '../test/support/inventory.ts';
import { type BacklogPlan, PARTS, SCHEMA } from './backlog.ts';

const run = promisify(execFile);

export interface SysbenchPlan {
  readonly name: string;
  readonly tables: number;
  readonly tableRows: number;
  readonly transactions: number;
  /** sysbench's --rand-type. */
  readonly distribution: 'special' | 'uniform';
  readonly seed: number;
}

export function sysbenchBacklog(plan: SysbenchPlan): BacklogPlan {
  const tables = Array.from({ length: plan.tables }, (_, i) => `sbtest${i + 1}`);
  const words = [
    `--tables=${plan.tables}`,
    `--table-size=${plan.tableRows}`,
    `--rand-type=${plan.distribution}`,
  ];
  return {
    name: plan.name,
    tables,
    prepare: (source) =>
      sysbench(source, 'oltp_write_only.lua', [
        ...words,
        `--rand-seed=${plan.seed}`,
        '--threads=1',
        'prepare',
      ]),
    write: async (source, part) => {
      const until = (n: number) => Math.round((plan.transactions * n) / PARTS);
      const events = until(part + 1) - until(part);
      await sysbench(source, 'oltp_write_only.lua', [
        ...words,
        `--rand-seed=${plan.seed * 1_000 + part}`,
        '--threads=4',
        `--events=${events}`,
        '--time=0',
        'run',
      ]);
      return events * 4;
    },
    warm: async (target) => {
      for (const [i, table] of tables.entries()) {
        await target.db.query(`SELECT SUM(LENGTH(pad)) FROM ${SCHEMA}.${table} FORCE INDEX (PRIMARY)`);
        await target.db.query(`SELECT COUNT(k) FROM ${SCHEMA}.${table} FORCE INDEX (k_${i + 1}) WHERE k > 0`);
      }
    },
  };
}

/** Runs sysbench with one of its scripts, or one of ours (a full path), to its end; gives what it printed. */
export async function sysbench(
  server: DatabaseServer,
  script: string,
  args: readonly string[],
  schema = SCHEMA,
): Promise<void> {
  const { command, env } = await sysbenchCommand(server, script, args, schema);
  const [program = '', ...words] = command;
  await run(program, words, { env: { ...process.env, ...env }, maxBuffer: 16 * 1024 * 1024 });
}

export async function sysbenchCommand(
  server: DatabaseServer,
  script: string,
  args: readonly string[],
  schema: string,
): Promise<{ readonly command: readonly string[]; readonly env: Readonly<Record<string, string>> }> {
  const program = await programOf('sysbench');
  // Logging in once through another client leaves the account in the server's cache: no TLS is needed for the rest.
  await server.db.query('SELECT 1');
  return {
    command: [
      ...program.command,
      script.startsWith('/') ? script : join(program.paths.lua ?? '/usr/share/sysbench', script),
      '--db-driver=mysql',
      '--mysql-host=127.0.0.1',
      `--mysql-port=${server.port}`,
      `--mysql-user=${server.db.user}`,
      `--mysql-password=${server.db.password}`,
      `--mysql-db=${schema}`,
      '--report-interval=0',
      ...args,
    ],
    env: program.env,
  };
}
