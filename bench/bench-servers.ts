/** Servers as all benchmarks start them: the same settings for source, target and replica. */
import { readFileSync } from 'node:fs';
import type { Settings } from '../test/support/database-server.ts';
import { startZookeeper } from '../test/support/servers.ts';
import type { ZookeeperServer } from '../test/support/zookeeper-server.ts';

export type BenchFlavour = 'mariadb' | 'mysql';

/** When commits reach the disk: `relaxed` innodb_flush_log_at_trx_commit 2 and sync_binlog 0, `durable` 1 and 1. */
export type Flush = 'relaxed' | 'durable';

const FLUSH = {
  relaxed: { innodb_flush_log_at_trx_commit: 2, sync_binlog: 0 },
  durable: { innodb_flush_log_at_trx_commit: 1, sync_binlog: 1 },
} as const satisfies Record<Flush, Settings>;

export function benchSettings(flavour: BenchFlavour, flush: Flush): Settings {
  const common: Settings = {
    innodb_buffer_pool_size: '1G',
    ...FLUSH[flush],
    binlog_row_image: 'FULL',
    max_allowed_packet: '64M',
  };
  switch (flavour) {
    case 'mariadb':
      return { ...common, innodb_log_file_size: '512M' };
    case 'mysql':
      return { ...common, innodb_redo_log_capacity: '1G' };
    default:
      return flavour satisfies never;
  }
}

/** Statement that gives a running server another way of flushing. */
export function flushStatement(flush: Flush): string {
  return `SET ${Object.entries(FLUSH[flush])
    .map(([name, value]) => `GLOBAL ${name} = ${value}`)
    .join(', ')}`;
}

/** ZooKeeper as it ships: a write is answered when it is on the disk. */
export function startBenchZookeeper(): Promise<ZookeeperServer> {
  return startZookeeper({ forceSync: true });
}

/** CPU seconds of a process so far; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** Resident memory of a process, bytes: now, and the most so far. */
export function memoryOf(pid: number): { readonly nowBytes: number; readonly peakBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return { nowBytes: kilobytes('VmRSS') * 1024, peakBytes: kilobytes('VmHWM') * 1024 };
}
