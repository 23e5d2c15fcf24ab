import { describe, expect, it } from 'vitest';
import { DdlMarks } from '../../../../stages/select/ddl-marks.ts';

const mark = { id: 4n, threadId: 77, origin: 'east' };

describe('marks of schema changes', () => {
  it('hold from the journal’s row to its end', () => {
    const marks = new DdlMarks();
    expect(marks.of(77)).toBeNull();
    marks.note({ kind: 'opened', mark });
    expect(marks.of(77)).toEqual(mark);
    expect(marks.of(78)).toBeNull();
    marks.note({ kind: 'ended', id: 5n });
    expect(marks.of(77)).toEqual(mark);
    marks.note({ kind: 'ended', id: 4n });
    expect(marks.of(77)).toBeNull();
  });

  it('end with the server: numbers of threads begin again', () => {
    const marks = new DdlMarks([mark]);
    expect(marks.of(77)).toEqual(mark);
    marks.serverStarted();
    expect(marks.of(77)).toBeNull();
  });
});
