/**
 * Follows a server's binlog and says when each row of one table was committed: the moment its transaction's last event arrives here.
 * Source and target are followed by the same process, by one clock and in the same way, so that what it takes is on both sides.
 */
import { EventDecoder } from '../canal/event/decoder.ts';
import { EVENT_CODE } from '../canal/event/event-code.ts';
import { completeShape } from '../canal/schema/complete-shape.ts';
import type { DumpStream, RawEvent } from '../canal/source/dump-stream.ts';
import { openDump } from '../canal/source/open-dump.ts';
import { compileRowScanner, type RowScanner } from '../canal/value/row-scanner.ts';
import { literalSecret } from '../conf/secret.ts';
import { filePosition } from '../model/position.ts';
import type { Database } from '../test/support/database.ts';

export interface FollowerOptions {
  readonly db: Database;
  readonly serverId: number;
  readonly table: string;
  /** The first column's value (a BIGINT) of each inserted row; `atMs` of `performance.now()`. */
  readonly onRow: (id: number, atMs: number) => void;
}

export class BinlogFollower implements AsyncDisposable {
  readonly #options: FollowerOptions;
  readonly #dump: DumpStream;
  readonly #decoder = new EventDecoder();
  readonly #scanners = new Map<number, RowScanner>();
  readonly #over = new AbortController();
  readonly #pending: number[] = [];
  readonly #running: Promise<void>;
  #failure: unknown = null;

  private constructor(options: FollowerOptions, dump: DumpStream) {
    this.#options = options;
    this.#dump = dump;
    this.#running = this.#run();
  }

  /** From the end of the log on. */
  static async open(options: FollowerOptions): Promise<BinlogFollower> {
    const { db, serverId } = options;
    const last = (await db.query('SHOW BINARY LOGS')).at(-1);
    const dump = await openDump(
      {
        endpoint: {
          host: db.host,
          port: db.port,
          user: db.user,
          password: literalSecret(db.password),
          tls: { mode: 'disabled', ca: null, cert: null, key: null },
          connectTimeoutMs: 10_000,
        },
        serverId,
        start: filePosition('bench', { file: String(last?.Log_name), offset: Number(last?.File_size) }),
      },
      AbortSignal.timeout(30_000),
    );
    return new BinlogFollower(options, dump);
  }

  /** @throws what ended it. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        await this.#dump.fill(this.#over.signal);
        for (let event = this.#dump.next(); event !== null; event = this.#dump.next()) this.#take(event);
      }
    } catch (error) {
      if (!this.#over.signal.aborted) this.#failure = error;
    }
  }

  #take(event: RawEvent): void {
    switch (event.header.typeCode) {
      case EVENT_CODE.formatDescription:
        this.#decoder.decode(event.bytes);
        this.#scanners.clear();
        return;
      case EVENT_CODE.tableMap: {
        const decoded = this.#decoder.decodeVerified(event.bytes, event.header);
        if (decoded.kind !== 'table-map' || decoded.map.table !== this.#options.table) return;
        if (this.#scanners.has(decoded.map.tableId)) return;
        this.#scanners.set(decoded.map.tableId, compileRowScanner(completeShape(decoded.map, null).shape));
        return;
      }
      case EVENT_CODE.writeRowsV1:
      case EVENT_CODE.writeRowsV2:
        this.#rows(event);
        return;
      case EVENT_CODE.xid: {
        const atMs = performance.now();
        for (const id of this.#pending) this.#options.onRow(id, atMs);
        this.#pending.length = 0;
        return;
      }
      default:
        return;
    }
  }

  #rows(event: RawEvent): void {
    const decoded = this.#decoder.decodeVerified(event.bytes, event.header);
    if (decoded.kind !== 'rows' || decoded.after === null) return;
    const scanner = this.#scanners.get(decoded.tableId);
    if (scanner === undefined) return;
    const { data, after } = decoded;
    for (let at = 0; at < data.length; ) {
      at = scanner.scan(data, at, data.length, after);
      this.#pending.push(Number(data.readBigInt64LE(scanner.offsets[0] as number)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#running;
    await this.#dump.close();
  }
}
