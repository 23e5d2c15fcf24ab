import { readBinlogFile } from '../../canal/event/file-reader.ts';
import { computeChecksum } from '../../canal/event/header.ts';
import type { DatabaseServer } from './database-server.ts';

const FORMAT_DESCRIPTION = 15;
const TABLE_MAP = 19;
/** WRITE_ROWS of MySQL 5.6 and later, and of before, which MariaDB writes. */
const WRITE_ROWS: readonly number[] = [30, 23];
const TYPE_AT = 4;

/**
 * Puts a row into a server that no statement could write: the last INSERT that its log has is replayed with other bytes
 * in place of `from`, which stands in it once. The server looks at neither, stores them, and logs them.
 */
export async function replayLastInsert(server: DatabaseServer, from: Buffer, to: Buffer): Promise<void> {
  if (from.length !== to.length) throw new RangeError('the event keeps its length');
  const file = (await server.binlogFiles()).at(-1) ?? '';
  let description: Buffer | null = null;
  let map: Buffer | null = null;
  let insert: readonly [map: Buffer, rows: Buffer] | null = null;
  for await (const { bytes } of readBinlogFile(file)) {
    const type = bytes[TYPE_AT] ?? 0;
    if (type === FORMAT_DESCRIPTION) description = Buffer.from(bytes);
    else if (type === TABLE_MAP) map = Buffer.from(bytes);
    else if (WRITE_ROWS.includes(type) && map !== null && bytes.includes(from))
      insert = [map, Buffer.from(bytes)];
  }
  if (description === null || insert === null) throw new Error(`no INSERT with these bytes in ${file}`);
  const [tableMap, rows] = insert;
  to.copy(rows, rows.indexOf(from));
  rows.writeUInt32LE(computeChecksum(rows), rows.length - 4);
  const connection = await server.db.connect();
  try {
    await connection.query(`BINLOG '${description.toString('base64')}'`);
    await connection.query(`BINLOG '${Buffer.concat([tableMap, rows]).toString('base64')}'`);
  } finally {
    connection.destroy();
  }
}
