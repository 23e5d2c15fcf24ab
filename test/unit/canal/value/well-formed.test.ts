import { describe, expect, it } from 'vitest';
import { charsetOf } from '../../../../canal/value/charset.ts';
import { characterWidth, isWellFormed } from '../../../../canal/value/well-formed.ts';
import { CASE_SERVERS } from '../../../cases/column-types/column-type-case.ts';
import { STRING_CASES } from '../../../cases/column-types/strings.ts';
import { recordedCases } from '../../../support/recorded-types.ts';

const CHARSET_BY_NAME: Readonly<Record<string, string>> = { utf8: 'utf8mb3' };

describe('isWellFormed', () => {
  for (const server of CASE_SERVERS)
    it(`takes all text that ${server} has stored`, () => {
      for (const { id, collation, values } of recordedCases(server)) {
        const charset = charsetOf(collation);
        if (charset === null || !STRING_CASES.some((one) => one.id === id)) continue;
        for (const [raw] of values) {
          const bytes = Buffer.from(`ff${raw}ff`, 'hex');
          expect(isWellFormed(charset, bytes, 1, bytes.length - 2), `${id} ${raw}`).toBe(true);
        }
      }
    });

  it('takes nothing that some server refuses', () => {
    let refused = 0;
    for (const { id, foreign = [] } of STRING_CASES)
      for (const { what, bytes, storedBy } of foreign) {
        const name = id.replace('varchar_', '');
        const takes = isWellFormed(CHARSET_BY_NAME[name] ?? name, bytes, 0, bytes.length);
        if (storedBy.length < CASE_SERVERS.length) {
          expect(takes, `${id}: ${what}`).toBe(false);
          refused += 1;
        }
      }
    expect(refused).toBeGreaterThan(30);
  });

  it('sees a character that is cut off by the end, whatever stands behind it', () => {
    const text = Buffer.from('日本');
    expect(isWellFormed('utf8mb4', text, 0, 6)).toBe(true);
    expect(isWellFormed('utf8mb4', text, 0, 5)).toBe(false);
    expect(isWellFormed('sjis', Buffer.from('8165', 'hex'), 0, 1)).toBe(false);
    expect(isWellFormed('ujis', Buffer.from('8fa1a1', 'hex'), 0, 2)).toBe(false);
    expect(isWellFormed('gb18030', Buffer.from('81308130', 'hex'), 0, 4)).toBe(true);
    expect(isWellFormed('gb18030', Buffer.from('81308130', 'hex'), 0, 3)).toBe(false);
  });

  it('has nothing to say of sets of single bytes, of bytes, and of sets it does not know', () => {
    for (const charset of ['latin1', 'koi8r', 'binary', 'no such set'])
      expect(isWellFormed(charset, Buffer.from('00808dff', 'hex'), 0, 4)).toBe(true);
  });
});

it('characterWidth is that of the smallest character', () => {
  expect(['utf8mb4', 'sjis', 'ucs2', 'utf16', 'utf16le', 'utf32'].map(characterWidth)).toEqual([
    1, 1, 2, 2, 2, 4,
  ]);
});
