/**
 * Which transactions a position includes, by their names as a payload has them (`model/payload.ts`): the GTID in the server's
 * notation, or `file:offset` of the first event where the server has none.
 *
 * A position of a MariaDB server says only how far each domain is, and servers that are not strict may log a smaller number
 * behind a larger one. So whoever relies on numbers asks first whether they rise (`TransactionsBehind`).
 */
import { HoltError } from '../lib/errors.ts';
import { splitChunk } from './chunk-position.ts';
import { type GtidSet, gtidSetOf, type MysqlGtid } from './gtid-set.ts';
import { type MariadbPosition, mariadbPositionOf, parseMariadbGtid } from './mariadb-gtid.ts';
import { formOf, type Position, type PositionText, parseFilePosition } from './position.ts';

/** A position without what is done of a transaction that is cut into several. */
function wholeOf(text: PositionText): PositionText {
  return splitChunk({ text, at: null, lastEvent: null }).base.text;
}

/** True if everything that `other` includes is in `position`, too. Positions of different forms have nothing in common. */
export function covers(position: PositionText, other: PositionText): boolean {
  const [mine, theirs] = [wholeOf(position), wholeOf(other)];
  if (mine === theirs) return true;
  const form = formOf(mine);
  if (form !== formOf(theirs)) return false;
  switch (form) {
    case 'mysql':
      return gtidSetOf(mine).contains(gtidSetOf(theirs));
    case 'mariadb':
      return mariadbPositionOf(mine).contains(mariadbPositionOf(theirs));
    case 'file': {
      const [a, b] = [parseFilePosition(mine), parseFilePosition(theirs)];
      return a.serverIdentity === b.serverIdentity && compareFiles(a, b) >= 0;
    }
    default:
      return form satisfies never;
  }
}

/**
 * True if `position` lies behind `other` in the same log. Both were read on one server, or it is not known any more where: then
 * `at` is null. By their places where both have one: numbers of MariaDB's transactions may go back in a domain.
 */
export function isBeyond(position: Position, other: Position): boolean {
  if (position.text === other.text) return false;
  const [mine, theirs] = [position.at, other.at];
  if (mine !== null && theirs !== null && baseOf(mine.file) === baseOf(theirs.file))
    return compareFiles(mine, theirs) > 0;
  return !covers(other.text, position.text);
}

/** A position that is beyond none: of what moves only now and then, and has not since another was here. */
export function nowhere(position: Position): Position {
  const form = formOf(wholeOf(position.text));
  return form === 'file' ? position : { text: `${form}:` as PositionText, at: null, lastEvent: null };
}

/** Asks of transaction after transaction whether the position includes it. @throws HOLT_POSITION_INVALID */
export function coveredBy(position: PositionText): (transaction: string) => boolean {
  const text = wholeOf(position);
  const form = formOf(text);
  switch (form) {
    case 'mysql': {
      const set = gtidSetOf(text);
      return (transaction) => set.has(parseMysqlGtid(transaction));
    }
    case 'mariadb': {
      const reached = mariadbPositionOf(text);
      return (transaction) => {
        const { domain, sequence } = parseMariadbGtid(transaction);
        return (reached.get(domain)?.sequence ?? -1n) >= sequence;
      };
    }
    case 'file': {
      const reached = parseFilePosition(text);
      return (transaction) => compareFiles(reached, parsePlace(transaction)) > 0;
    }
    default:
      return form satisfies never;
  }
}

/**
 * A position that moves over the transactions of a payload, one by one: what lies behind `start`, and how far they reach.
 */
export class TransactionsBehind {
  readonly #form: ReturnType<typeof formOf>;
  readonly #set: GtidSet | null;
  readonly #domains: MariadbPosition | null;
  #place: { readonly file: string; readonly offset: number } | null;

  /** @throws HOLT_POSITION_INVALID */
  constructor(start: PositionText) {
    const text = wholeOf(start);
    this.#form = formOf(text);
    this.#set = this.#form === 'mysql' ? gtidSetOf(text) : null;
    this.#domains = this.#form === 'mariadb' ? mariadbPositionOf(text) : null;
    this.#place = this.#form === 'file' ? parseFilePosition(text) : null;
  }

  /** False for one that, by its number or place, lies before what came before it. @throws HOLT_POSITION_INVALID */
  add(transaction: string): boolean {
    if (this.#set !== null) {
      const gtid = parseMysqlGtid(transaction);
      if (this.#set.has(gtid)) return false;
      this.#set.add(gtid);
      return true;
    }
    if (this.#domains !== null) {
      const gtid = parseMariadbGtid(transaction);
      if ((this.#domains.get(gtid.domain)?.sequence ?? -1n) >= gtid.sequence) return false;
      this.#domains.advance(gtid);
      return true;
    }
    const place = parsePlace(transaction);
    if (this.#place !== null && compareFiles(place, this.#place) < 0) return false;
    this.#place = place;
    return true;
  }

  /** The start and the transactions added; `end` where positions are places, since a name there says where a transaction begins. */
  reached(end: PositionText): PositionText {
    return this.#set?.toPosition() ?? this.#domains?.toPosition() ?? end;
  }
}

interface Place {
  readonly file: string;
  readonly offset: number;
}

function baseOf(file: string): string {
  return file.slice(0, file.lastIndexOf('.') + 1);
}

/** Files are numbered: `binlog.999999` is followed by `binlog.1000000`. */
function compareFiles(a: Place, b: Place): number {
  if (a.file === b.file) return a.offset - b.offset;
  if (a.file.length !== b.file.length) return a.file.length - b.file.length;
  return a.file < b.file ? -1 : 1;
}

function parsePlace(text: string): Place {
  const [, file, digits] = /^(.+):([0-9]{1,16})$/.exec(text) ?? [];
  if (file === undefined || !Number.isSafeInteger(Number(digits))) throw invalid(text);
  return { file, offset: Number(digits) };
}

function parseMysqlGtid(text: string): MysqlGtid {
  const [, uuid, tag, digits] = /^([0-9a-f-]{36}):(?:([a-z_][a-z0-9_]*):)?([0-9]{1,19})$/.exec(text) ?? [];
  if (uuid === undefined || digits === undefined) throw invalid(text);
  return { flavour: 'mysql', uuid, tag: tag ?? '', number: BigInt(digits) };
}

function invalid(text: string): HoltError {
  return new HoltError('HOLT_POSITION_INVALID', `${JSON.stringify(text.slice(0, 100))} names no transaction`);
}
