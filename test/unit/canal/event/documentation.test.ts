import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EVENT_CODE } from '../../../../canal/event/event-code.ts';

describe('docs/binlog-events.md', () => {
  it('has a row for every event type we know, and for no other', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../../docs/binlog-events.md'), 'utf8');
    const codes = [...page.matchAll(/^\|\s*(\d+)(?:–(\d+))?\s*\|/gm)].flatMap(([, first, last = first]) =>
      Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i),
    );
    expect(codes).toEqual(Object.values(EVENT_CODE));
  });
});
