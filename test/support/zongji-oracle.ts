import { basename } from 'node:path';
import ZongJi from '@vlasky/zongji';
import { EventDecoder } from '../../canal/event/decoder.ts';
import type { BinlogEvent } from '../../canal/event/event.ts';
import { readBinlogFile } from '../../canal/event/file-reader.ts';
import { withDeadline } from '../../lib/abort.ts';
import type { DatabaseServer } from './database-server.ts';

/** An event as zongji gives it. */
export interface ZongjiEvent {
  readonly file: string;
  /** End of the event in its file. */
  readonly end: number;
  readonly type: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An event as we decode it. */
export interface OwnEvent {
  readonly file: string;
  readonly end: number;
  readonly event: BinlogEvent;
}

const END_TABLE = 'oracle_end';

/** All that a server has logged, as zongji receives it over the protocol, and the errors it reports. */
export async function zongjiEvents(
  server: DatabaseServer,
): Promise<{ readonly events: readonly ZongjiEvent[]; readonly errors: readonly string[] }> {
  await server.db.query(`CREATE DATABASE IF NOT EXISTS oracle`);
  await server.db.query(`CREATE TABLE oracle.${END_TABLE} (a INT)`);
  const [first = ''] = await server.binlogFiles();
  const reader = new ZongJi({
    host: '127.0.0.1',
    port: server.port,
    user: server.db.user,
    password: server.db.password,
    dateStrings: true,
    timezone: 'Z',
    jsonStrings: true,
  });
  const events: ZongjiEvent[] = [];
  const errors: string[] = [];
  let file = basename(first);
  const ended = new Promise<void>((resolve) => {
    reader.on('error', (error: Error) => errors.push(error.message));
    reader.on('binlog', (event: unknown) => {
      const fields = event as Record<string, unknown> & { getTypeName(): string };
      const type = fields.getTypeName();
      const end = Number(fields.nextPosition);
      // Artificial events stand in no file.
      if (end > 0 && type !== 'Heartbeat') events.push({ file, end, type, fields });
      if (type === 'Rotate') file = String(fields.binlogName);
      if (type === 'Query' && String(fields.query).includes(END_TABLE)) resolve();
    });
  });
  reader.start({
    serverId: 77_777,
    filename: file,
    position: 4,
    requestAnnotateRows: true,
  });
  try {
    await withDeadline(ended, 50_000, 'zongji reading the log');
  } finally {
    reader.stop();
  }
  return { events, errors };
}

/** The same from the server's files. */
export async function ownEvents(server: DatabaseServer): Promise<OwnEvent[]> {
  const events: OwnEvent[] = [];
  for (const path of await server.binlogFiles()) {
    const decoder = new EventDecoder();
    for await (const { bytes } of readBinlogFile(path)) {
      const event = decoder.decode(bytes);
      events.push({ file: basename(path), end: event.header.logPos, event });
    }
  }
  return events;
}
