/**
 * A position that moves on transaction by transaction: adding is cheap, the canonical text is made when asked for.
 *
 * `gtid` forms grow by the transaction's GTID, the `file` form moves to its end. A transaction without GTID cannot be
 * added to a GTID set: the source has changed its form, which goes through a raise.
 */
import { HoltError } from '../lib/errors.ts';
import { type GtidSet, gtidSetOf } from './gtid-set.ts';
import { type MariadbPosition, mariadbPositionOf } from './mariadb-gtid.ts';
import {
  type BinlogCoordinates,
  filePosition,
  formOf,
  type LastEvent,
  type Position,
  type PositionText,
  parseFilePosition,
} from './position.ts';
import type { TransactionGtid } from './source-item.ts';

type Body =
  | { readonly form: 'mysql'; readonly set: GtidSet }
  | { readonly form: 'mariadb'; readonly position: MariadbPosition }
  | { readonly form: 'file'; readonly serverIdentity: string };

export class RunningPosition {
  readonly #body: Body;
  #at: BinlogCoordinates | null;
  #lastEvent: LastEvent | null;
  #text: PositionText | null;

  private constructor(body: Body, start: Position) {
    this.#body = body;
    this.#at = start.at;
    this.#lastEvent = start.lastEvent;
    this.#text = start.text;
  }

  /** @throws HOLT_POSITION_INVALID */
  static from(start: Position): RunningPosition {
    const { text } = start;
    switch (formOf(text)) {
      case 'mysql':
        return new RunningPosition({ form: 'mysql', set: gtidSetOf(text) }, start);
      case 'mariadb':
        return new RunningPosition({ form: 'mariadb', position: mariadbPositionOf(text) }, start);
      case 'file': {
        const { serverIdentity, file, offset } = parseFilePosition(text);
        return new RunningPosition({ form: 'file', serverIdentity }, { ...start, at: { file, offset } });
      }
    }
  }

  /** File and offset, where known. */
  get at(): BinlogCoordinates | null {
    return this.#at;
  }

  /** True where file and offset are the position. */
  get isByFile(): boolean {
    return this.#body.form === 'file';
  }

  /** Moves behind a whole transaction. @throws HOLT_POSITION_FORM */
  advance(gtid: TransactionGtid | null, end: BinlogCoordinates, lastEvent: LastEvent | null): void {
    const body = this.#body;
    switch (body.form) {
      case 'mysql':
        if (gtid?.flavour !== 'mysql') throw otherForm(body.form, gtid, end);
        body.set.add(gtid);
        break;
      case 'mariadb':
        if (gtid?.flavour !== 'mariadb') throw otherForm(body.form, gtid, end);
        body.position.advance(gtid);
        break;
      case 'file':
        break;
      default:
        body satisfies never;
    }
    this.#at = end;
    this.#lastEvent = lastEvent;
    this.#text = null;
  }

  get text(): PositionText {
    this.#text ??= this.#format();
    return this.#text;
  }

  /** As a value of its own. */
  get position(): Position {
    return { text: this.text, at: this.#at, lastEvent: this.#lastEvent };
  }

  clone(): RunningPosition {
    const body = this.#body;
    const copy: Body =
      body.form === 'mysql'
        ? { form: 'mysql', set: body.set.clone() }
        : body.form === 'mariadb'
          ? { form: 'mariadb', position: body.position.clone() }
          : body;
    return new RunningPosition(copy, this.position);
  }

  #format(): PositionText {
    const body = this.#body;
    switch (body.form) {
      case 'mysql':
        return body.set.toPosition();
      case 'mariadb':
        return body.position.toPosition();
      case 'file':
        return filePosition(body.serverIdentity, this.#at ?? { file: '', offset: 0 });
    }
  }
}

function otherForm(form: string, gtid: TransactionGtid | null, end: BinlogCoordinates): HoltError {
  const found = gtid === null ? 'without a GTID' : `with a ${gtid.flavour} GTID`;
  return new HoltError(
    'HOLT_POSITION_FORM',
    `the position is a ${form} GTID set and the transaction before ${end.file}:${end.offset} is ${found}`,
    {
      disposition: 'pause',
      remedy: 'Let all sites agree on gtid_mode, then set the position in its new form.',
      facts: { file: end.file, offset: end.offset },
    },
  );
}
