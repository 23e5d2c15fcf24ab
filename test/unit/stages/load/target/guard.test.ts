import { describe, expect, it } from 'vitest';
import type { PositionText } from '../../../../../model/position.ts';
import { type Guard, guardEndStatement, guardStatement } from '../../../../../stages/load/target/guard.ts';

const end = {
  position: {
    text: 'mysql:a' as PositionText,
    at: { file: 'f', offset: 5_000_000_000 },
    lastEvent: { timestamp: 1, crc32: null },
  },
  sourceCommittedUs: 1_700_000_000_000_000,
};
const guard: Guard = {
  pipeline: 'p',
  lane: 0,
  tenure: '00'.repeat(16),
  loader: 'ff'.repeat(16),
  seq: 18_446_744_073_709_551_615n,
  origin: "o'",
  startDigest: 'ab'.repeat(16),
  targetIdentity: 's',
  end,
};

describe('guardStatement()', () => {
  it('names the row by its full key and every expectation, and assigns seq and origin first', () => {
    expect(guardStatement(guard)).toBe(
      "UPDATE holt.checkpoint SET seq = 18446744073709551615, origin = x'6f27', position = x'6d7973716c3a61', " +
        "position_digest = x'812fffe8abff956c8a5589697c6def76', position_file = x'66', position_offset = 5000000000, " +
        'last_event_timestamp = 1, last_event_crc32 = NULL, last_event_length = NULL, ' +
        'source_committed_us = 1700000000000000, applied_at = UTC_TIMESTAMP(6) ' +
        `WHERE pipeline = x'70' AND lane = 0 AND tenure = x'${'00'.repeat(16)}' AND loader = x'${'ff'.repeat(16)}' ` +
        `AND seq = 18446744073709551614 AND position_digest = x'${'ab'.repeat(16)}' AND target_identity = x'73'`,
    );
  });

  it('leaves position and times to the last statement of a transaction in parts', () => {
    expect(guardStatement({ ...guard, end: null })).toMatch(
      /^UPDATE holt\.checkpoint SET seq = \d+, origin = x'6f27' WHERE/,
    );
    expect(guardEndStatement(guard, end)).toMatch(
      /^UPDATE holt\.checkpoint SET position = .* AND seq = 18446744073709551615$/,
    );
    // Seq is not assigned again: the second UPDATE is no mark.
    expect(guardEndStatement(guard, end)).not.toMatch(/SET.*seq = .*WHERE/);
  });

  it('is without a loader for those who hold no run', () => {
    expect(guardStatement({ ...guard, loader: null, startDigest: null })).not.toMatch(
      /loader|position_digest = x'ab/,
    );
  });
});
