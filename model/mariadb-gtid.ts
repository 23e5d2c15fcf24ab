/**
 * MariaDB's GTID positions: the last transaction of each replication domain.
 *
 *     position := [ gtid { "," gtid } ]
 *     gtid     := domain "-" server "-" sequence        32, 32 and 64 bits
 *
 * Canonical text: sorted by domain number, no spaces. Source: https://mariadb.com/kb/en/gtid/.
 */
import { HoltError } from '../lib/errors.ts';
import type { PositionText } from './position.ts';
import type { TransactionGtid } from './source-item.ts';

export type MariadbGtid = Extract<TransactionGtid, { flavour: 'mariadb' }>;

const GTID = /^([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,20})$/;
const MAX_32 = 0xffff_ffff;
const MAX_64 = 0xffff_ffff_ffff_ffffn;

/** @throws HOLT_POSITION_INVALID */
export function parseMariadbGtid(text: string): MariadbGtid {
  const [, domain, server, sequence] = GTID.exec(text) ?? [];
  const gtid: MariadbGtid = {
    flavour: 'mariadb',
    domain: Number(domain),
    server: Number(server),
    sequence: BigInt(sequence ?? -1),
  };
  if (sequence === undefined || gtid.domain > MAX_32 || gtid.server > MAX_32 || gtid.sequence > MAX_64)
    throw new HoltError(
      'HOLT_POSITION_INVALID',
      `${JSON.stringify(text.slice(0, 100))} is no MariaDB GTID: domain-server-sequence is expected`,
    );
  return gtid;
}

export function formatMariadbGtid(gtid: MariadbGtid): string {
  return `${gtid.domain}-${gtid.server}-${gtid.sequence}`;
}

/** A list of GTIDs in which a domain may come more than once, as `gtid_binlog_state` has one for each server of a domain. */
export function parseMariadbGtids(text: string): MariadbGtid[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseMariadbGtid);
}

/** One GTID per domain. Mutable and cheap to advance; not shared between owners: `clone` it. */
export class MariadbPosition {
  readonly #byDomain = new Map<number, MariadbGtid>();

  /** @throws HOLT_POSITION_INVALID, also when a domain comes twice. */
  static parse(text: string): MariadbPosition {
    const position = new MariadbPosition();
    for (const gtid of parseMariadbGtids(text)) {
      if (position.#byDomain.has(gtid.domain))
        throw new HoltError(
          'HOLT_POSITION_INVALID',
          `${JSON.stringify(text.slice(0, 200))} has domain ${gtid.domain} twice`,
        );
      position.#byDomain.set(gtid.domain, gtid);
    }
    return position;
  }

  get isEmpty(): boolean {
    return this.#byDomain.size === 0;
  }

  /** In order of domain numbers. */
  get gtids(): readonly MariadbGtid[] {
    return [...this.#byDomain.values()].sort((a, b) => a.domain - b.domain);
  }

  get(domain: number): MariadbGtid | undefined {
    return this.#byDomain.get(domain);
  }

  /** The place after `gtid`: the log's order rules, so a smaller sequence number replaces a larger one too. */
  advance(gtid: MariadbGtid): void {
    this.#byDomain.set(gtid.domain, gtid);
  }

  /** True if, in each domain of `other`, this position is at the same sequence number or beyond it. */
  contains(other: MariadbPosition): boolean {
    for (const theirs of other.#byDomain.values()) {
      const mine = this.#byDomain.get(theirs.domain);
      if (mine === undefined || mine.sequence < theirs.sequence) return false;
    }
    return true;
  }

  equals(other: MariadbPosition): boolean {
    return this.toString() === other.toString();
  }

  clone(): MariadbPosition {
    const copy = new MariadbPosition();
    for (const gtid of this.#byDomain.values()) copy.advance(gtid);
    return copy;
  }

  /** Canonical text. */
  toString(): string {
    return this.gtids.map(formatMariadbGtid).join(',');
  }

  toPosition(): PositionText {
    return `mariadb:${this}` as PositionText;
  }
}

/** The body of a `mariadb:` position. */
export function mariadbPositionOf(text: PositionText): MariadbPosition {
  if (!text.startsWith('mariadb:'))
    throw new HoltError('HOLT_POSITION_INVALID', `${JSON.stringify(text)} is no MariaDB GTID position`);
  return MariadbPosition.parse(text.slice('mariadb:'.length));
}
