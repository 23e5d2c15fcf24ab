/**
 * What a QUERY event is to the transaction it stands in.
 *
 * The server writes the verbs of a transaction itself, in a fixed spelling (`BEGIN`, `COMMIT`, ``ROLLBACK TO `x` ``,
 * `XA START X'…',X'…',1`); MySQL's own `Transaction_boundary_parser` tells them apart the same way. Everything else is
 * the user's text.
 */
import type { StatementNature } from '../../model/source-item.ts';
import type { XaId } from '../event/event.ts';

export type QueryVerb =
  | { readonly kind: 'begin' }
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback' }
  | { readonly kind: 'savepoint'; readonly name: string }
  | { readonly kind: 'rollback-to'; readonly name: string }
  | { readonly kind: 'release-savepoint' }
  /** The id in its one spelling: `x'…',x'…',1`. */
  | { readonly kind: 'xa-start'; readonly xid: string }
  | { readonly kind: 'xa-end' }
  | { readonly kind: 'xa-commit' | 'xa-rollback'; readonly xid: string }
  | { readonly kind: 'other'; readonly nature: Extract<StatementNature, 'ddl' | 'dml' | 'load-data'> };

const BEGIN: QueryVerb = { kind: 'begin' };
const COMMIT: QueryVerb = { kind: 'commit' };

const BEGIN_BYTES = Buffer.from('BEGIN');
const COMMIT_BYTES = Buffer.from('COMMIT');

/** Longest prefix of a statement that is looked at; verbs and first words stand within. */
const HEAD_BYTES = 1024;

export function queryVerb(sql: Buffer): QueryVerb {
  // The two that come with every transaction, without making a string.
  if (sql.equals(BEGIN_BYTES)) return BEGIN;
  if (sql.equals(COMMIT_BYTES)) return COMMIT;
  const head = sql.toString('utf8', 0, Math.min(sql.length, HEAD_BYTES));
  const text = head.replace(/^[\s;]+/, '');
  const xa = /^XA\s+(START|BEGIN|END|COMMIT|ROLLBACK)\s+(.*)$/is.exec(text);
  if (xa !== null) {
    const xid = normalXid(xa[2] ?? '');
    switch (xa[1]?.toUpperCase()) {
      case 'COMMIT':
        return { kind: 'xa-commit', xid };
      case 'ROLLBACK':
        return { kind: 'xa-rollback', xid };
      case 'END':
        return { kind: 'xa-end' };
      default:
        return { kind: 'xa-start', xid };
    }
  }
  const back = /^ROLLBACK\s+(?:WORK\s+)?TO\s+(?:SAVEPOINT\s+)?(.+)$/is.exec(text);
  if (back !== null) return { kind: 'rollback-to', name: savepointName(back[1] ?? '') };
  const savepoint = /^SAVEPOINT\s+(.+)$/is.exec(text);
  if (savepoint !== null) return { kind: 'savepoint', name: savepointName(savepoint[1] ?? '') };
  if (/^RELEASE\s+SAVEPOINT\s/i.test(text)) return { kind: 'release-savepoint' };
  if (/^(?:BEGIN|START\s+TRANSACTION)[\s;]*$/i.test(text)) return BEGIN;
  if (/^COMMIT[\s;]*$/i.test(text)) return COMMIT;
  if (/^ROLLBACK[\s;]*$/i.test(text)) return { kind: 'rollback' };
  return { kind: 'other', nature: natureOf(text) };
}

const DML = new Set(['INSERT', 'UPDATE', 'DELETE', 'REPLACE', 'CALL', 'SELECT', 'DO', 'WITH', 'HANDLER']);

function natureOf(text: string): Extract<StatementNature, 'ddl' | 'dml' | 'load-data'> {
  const word = firstWord(text);
  if (DML.has(word)) return 'dml';
  if (word === 'LOAD') return 'load-data';
  return 'ddl';
}

/** The first word that is not inside a comment, in upper case; of a versioned comment, the first word inside. */
function firstWord(text: string): string {
  let rest = text;
  for (;;) {
    const skipped = /^(?:[\s;(]+|\/\*M?!\d*|\/\*(?!M?!)[\s\S]*?\*\/|--\s[^\n]*(?:\n|$)|#[^\n]*(?:\n|$))/.exec(
      rest,
    );
    if (skipped === null) break;
    rest = rest.slice(skipped[0].length);
  }
  return /^[a-z_]+/i.exec(rest)?.[0].toUpperCase() ?? '';
}

function savepointName(text: string): string {
  const trimmed = text.replace(/[\s;]+$/, '');
  const quoted = /^`((?:[^`]|``)*)`/.exec(trimmed);
  // Savepoint names are compared without regard to case by the server.
  return (quoted === null ? trimmed : (quoted[1] ?? '').replaceAll('``', '`')).toLowerCase();
}

/**
 * One spelling for the id of an XA transaction as QUERY events write it: `X'…',X'…',<format>`, always in full. The format
 * is 32 bits in events and may be printed with more, or as a negative number.
 */
export function normalXid(text: string): string {
  const plain = text.replace(/\s+ONE\s+PHASE[\s;]*$/i, '').replace(/[\s;]+$/, '');
  const parts = /^X\s*'([0-9a-f]*)'\s*,\s*X\s*'([0-9a-f]*)'\s*,\s*(-?[0-9]+)$/i.exec(plain);
  if (parts === null) return plain;
  const [, gtrid = '', bqual = '', format = '0'] = parts;
  return `x'${gtrid.toLowerCase()}',x'${bqual.toLowerCase()}',${BigInt.asUintN(32, BigInt(format))}`;
}

/** The same spelling from the parts that an event carries. */
export function xidOf({ formatId, gtrid, bqual }: XaId): string {
  return normalXid(`X'${gtrid.toString('hex')}',X'${bqual.toString('hex')}',${formatId}`);
}
