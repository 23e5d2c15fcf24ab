/** The server's own replica as a peer: relay log fetched before, then timed from the start of its SQL threads. */
import { waitFor } from '../lib/abort.ts';
import type { Settings } from '../test/support/database-server.ts';
import type { Backlog } from './backlog.ts';
import type { BenchFlavour } from './bench-servers.ts';
import type { Timing } from './measurement.ts';
import { timed } from './timed.ts';

/** Threads or workers; the better setting counts. */
export const REPLICA_THREADS = { mariadb: [0, 4], mysql: [1, 4] } as const;

export const replicaName = (server: BenchFlavour, threads: number) =>
  `own replica, ${threads} ${server === 'mariadb' ? 'threads' : threads === 1 ? 'worker' : 'workers'}`;

export async function ownReplica(
  backlog: Backlog,
  threads: number,
  limitMs: number | undefined,
): Promise<Timing> {
  const { source, options } = backlog;
  const { host, port, user, password } = source.db;
  const settings: Settings =
    options.flavour === 'mariadb'
      ? { slave_parallel_threads: threads, slave_parallel_mode: 'optimistic', relay_log: 'relay' }
      : { replica_parallel_workers: threads, relay_log: 'relay', skip_replica_start: true };
  await using target = await backlog.target(settings);
  const words =
    options.flavour === 'mariadb'
      ? {
          change: `CHANGE MASTER TO MASTER_HOST='${host}', MASTER_PORT=${port}, MASTER_USER='${user}', MASTER_PASSWORD='${password}', MASTER_USE_GTID=slave_pos`,
          fetch: 'START SLAVE IO_THREAD',
          apply: 'START SLAVE SQL_THREAD',
          status: 'SHOW SLAVE STATUS',
          stop: 'STOP SLAVE',
          file: 'Master_Log_File',
          offset: 'Read_Master_Log_Pos',
        }
      : {
          change: `CHANGE REPLICATION SOURCE TO SOURCE_HOST='${host}', SOURCE_PORT=${port}, SOURCE_USER='${user}', SOURCE_PASSWORD='${password}', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1`,
          fetch: 'START REPLICA IO_THREAD',
          apply: 'START REPLICA SQL_THREAD',
          status: 'SHOW REPLICA STATUS',
          stop: 'STOP REPLICA',
          file: 'Source_Log_File',
          offset: 'Read_Source_Log_Pos',
        };
  if (options.flavour === 'mariadb') await target.db.query(`SET GLOBAL gtid_slave_pos = '${backlog.start}'`);
  await target.db.query(words.change);
  await target.db.query(words.fetch);
  const last = (await source.db.query('SHOW BINARY LOGS')).at(-1);
  await waitFor(
    async () => {
      const [row] = await target.db.query(words.status);
      const error = row?.Last_IO_Error;
      if (typeof error === 'string' && error !== '') throw new Error(`the replica cannot read: ${error}`);
      return row?.[words.file] === last?.Log_name && Number(row?.[words.offset]) >= Number(last?.File_size);
    },
    { timeoutMs: 600_000, pollMs: 50, what: 'the relay log to be fetched' },
  );
  const timing = await timed({
    name: replicaName(options.flavour, threads),
    backlog,
    target,
    cpu: null,
    seq: null,
    ...(limitMs === undefined ? {} : { limitMs }),
    go: async () => {
      await target.db.query(words.apply);
    },
    trouble: async () => {
      const [row] = await target.db.query(words.status);
      const error = row?.Last_SQL_Error;
      return typeof error === 'string' && error !== '' ? error : null;
    },
  });
  await target.db.query(words.stop);
  await backlog.mustBeEqual(target);
  return timing;
}
