/**
 * Whether anything was sent back, counted in a server's own binlog with a decoder that is not Holt's: rows tagged by this site's writer
 * must not stand in a transaction that Holt wrote here.
 */
import ZongJi from '@vlasky/zongji';
import type { Database } from '../test/support/database.ts';
import { SCHEMA } from '../test/support/shop.ts';

export interface EchoCount {
  /** Transactions in which Holt applied the other site's changes. */
  readonly holtTransactions: number;
  /** Rows of the other site's writer in them. */
  readonly foreignRows: number;
  /** Rows of this site's own writer in them: must be 0. */
  readonly ownRows: number;
}

interface BinlogEvent {
  readonly tableId?: number;
  readonly tableMap?: Readonly<Record<number, { readonly parentSchema: string; readonly tableName: string }>>;
  readonly rows?: readonly Readonly<Record<string, unknown>>[];
  readonly nextPosition?: number;
  readonly binlogName?: string;
  getEventName(): string;
}

/** Reads the whole binlog of `db`, from its first file to where it ends now. */
export async function countEchoes(db: Database, site: string): Promise<EchoCount> {
  const files = await db.query<{ Log_name: string; File_size: number }>('SHOW BINARY LOGS');
  const first = files[0]?.Log_name;
  const last = files.at(-1);
  if (first === undefined || last === undefined) throw new Error('the server has no binlog');
  const zongji = new ZongJi({ host: db.host, port: db.port, user: db.user, password: db.password });
  let holtTransactions = 0;
  let foreignRows = 0;
  let ownRows = 0;
  let inHolt = false;
  let firstRows = true;
  await new Promise<void>((resolve, reject) => {
    let file = first;
    zongji.on('error', reject);
    zongji.on('binlog', (raw: unknown) => {
      const event = raw as BinlogEvent;
      const name = event.getEventName();
      if (name === 'rotate') file = event.binlogName ?? file;
      if (name === 'gtid' || name === 'mariadbgtid' || name === 'anonymousgtid' || name === 'query') {
        firstRows = true;
        inHolt = false;
      }
      if (event.rows !== undefined && event.tableId !== undefined) {
        const table = event.tableMap?.[event.tableId];
        if (
          firstRows &&
          table?.parentSchema === 'holt' &&
          table.tableName === 'checkpoint' &&
          name === 'updaterows'
        ) {
          inHolt = true;
          holtTransactions += 1;
        }
        firstRows = false;
        if (inHolt && table?.parentSchema === SCHEMA)
          for (const row of event.rows) {
            const image = (row.after ?? row) as Readonly<Record<string, unknown>>;
            const before = (row.before ?? row) as Readonly<Record<string, unknown>>;
            if ((image.site ?? before.site) === site) ownRows += 1;
            else foreignRows += 1;
          }
      }
      if (file === last.Log_name && (event.nextPosition ?? 0) >= last.File_size) resolve();
    });
    zongji.start({ startAtEnd: false, filename: first, position: 4, serverId: 4_000_000 + db.port });
  }).finally(() => zongji.stop());
  return { holtTransactions, foreignRows, ownRows };
}
