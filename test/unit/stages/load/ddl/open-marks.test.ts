import { describe, expect, it } from 'vitest';
import { type MarkRow, marksAt } from '../../../../../stages/load/ddl/open-marks.ts';

const at = (offset: number, file = 'binlog.000002') => ({ file, offset });
const row = (change: Partial<MarkRow> = {}): MarkRow => ({
  mark: { id: 1n, threadId: 7, origin: 'west' },
  isOpen: false,
  opened: at(100),
  settled: at(900),
  restarted: false,
  ...change,
});

describe('schema changes of ours that are under way where reading begins', () => {
  it.each<readonly [string, MarkRow, ReturnType<typeof at> | null, boolean]>([
    ['between the row and its end', row(), at(500), true],
    ['before the row: it comes', row(), at(50), false],
    ['behind its end', row(), at(900), false],
    ['behind the row, open still', row({ isOpen: true, settled: null }), at(5000), true],
    ['in a later file, open still', row({ isOpen: true, settled: null }), at(4, 'binlog.000010'), true],
    [
      'open, but the server was restarted in between',
      row({ isOpen: true, settled: null, restarted: true }),
      at(4, 'binlog.000003'),
      false,
    ],
    ['open, the restart is ahead', row({ isOpen: true, settled: null, restarted: true }), at(500), true],
    ['place not known, open', row({ isOpen: true, settled: null }), null, true],
    ['place not known, closed', row(), null, false],
  ])('%s', (_, one, start, isMarked) => {
    expect(marksAt([one], start).length > 0).toBe(isMarked);
  });
});
