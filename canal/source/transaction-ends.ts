import type { BinlogCoordinates, LastEvent } from '../../model/position.ts';
import type { TransactionGtid } from '../../model/source-item.ts';
import { EventDecoder } from '../event/decoder.ts';
import { EVENT_CODE } from '../event/event-code.ts';
import type { RawEvent } from './dump-stream.ts';

export interface TransactionEnd {
  readonly gtid: TransactionGtid | null;
  readonly start: BinlogCoordinates;
  /** A place to begin at: the first byte after the transaction. */
  readonly end: BinlogCoordinates;
  readonly lastEvent: LastEvent;
  /** µs since 1970. */
  readonly commitUs: number;
  /** False where only the second is known. */
  readonly commitIsExact: boolean;
}

/** Kinds that say where a transaction begins or ends; the others are not even decoded. */
const TELLING: ReadonlySet<number> = new Set([
  EVENT_CODE.formatDescription,
  EVENT_CODE.query,
  EVENT_CODE.xid,
  EVENT_CODE.gtid,
  EVENT_CODE.anonymousGtid,
  EVENT_CODE.gtidTagged,
  EVENT_CODE.xaPrepare,
  EVENT_CODE.mariadbGtid,
]);
/** Whole transactions in one event, or statements that are one. */
const WHOLE: ReadonlySet<number> = new Set([
  EVENT_CODE.transactionPayload,
  EVENT_CODE.mariadbQueryCompressed,
  EVENT_CODE.incident,
]);

interface Open {
  gtid: TransactionGtid | null;
  readonly start: BinlogCoordinates;
  commitUs: number | null;
  /** False: one statement is all, unless it is a BEGIN. */
  isGroup: boolean;
}

/**
 * Where transactions end, of events seen from the beginning of a file or from between two transactions: enough to find places to begin at.
 * What is in them does not matter here, and is not looked at.
 *
 *     [GTID] BEGIN … XID | COMMIT | ROLLBACK    [GTID] statement    [GTID] payload    [GTID] XA START … XA PREPARE
 *     MariaDB: GTID … XID | COMMIT | ROLLBACK | XA PREPARE, or GTID (standalone) statement
 */
export class TransactionEnds {
  readonly #decoder = new EventDecoder();
  #open: Open | null = null;

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** The transaction that ends with this event, or null. */
  push(event: RawEvent): TransactionEnd | null {
    const { typeCode } = event.header;
    if (WHOLE.has(typeCode))
      return this.#open?.isGroup === true && typeCode !== EVENT_CODE.transactionPayload
        ? null
        : this.#end(event);
    if (!TELLING.has(typeCode)) return null;
    const decoded = this.#decoder.decodeVerified(event.bytes, event.header);
    switch (decoded.kind) {
      case 'gtid':
        this.#open = { ...fresh(event), gtid: decoded.gtid, commitUs: decoded.immediateCommitUs };
        return null;
      case 'mariadb-gtid':
        this.#open = { ...fresh(event), gtid: decoded.gtid, isGroup: !decoded.standalone };
        return null;
      case 'xid':
      case 'xa-prepare':
        return this.#end(event);
      case 'query': {
        const verb = decoded.sql.toString('latin1', 0, 12).trimStart().toUpperCase();
        if (verb === 'BEGIN' || /^XA START\b/.test(verb)) {
          this.#open ??= fresh(event);
          this.#open.isGroup = true;
          return null;
        }
        const isEnd = verb === 'COMMIT' || verb === 'ROLLBACK';
        return this.#open?.isGroup === true && !isEnd ? null : this.#end(event);
      }
      default:
        return null;
    }
  }

  #end(event: RawEvent): TransactionEnd {
    const { gtid, start, commitUs } = this.#open ?? fresh(event);
    this.#open = null;
    const { timestamp, crc32, eventLength } = event.header;
    return {
      gtid,
      start,
      end: { file: event.file, offset: event.end },
      lastEvent: { timestamp, crc32, length: eventLength },
      commitUs: commitUs ?? timestamp * 1_000_000,
      commitIsExact: commitUs !== null,
    };
  }
}

function fresh(event: RawEvent): Open {
  return { gtid: null, start: { file: event.file, offset: event.start }, commitUs: null, isGroup: false };
}
