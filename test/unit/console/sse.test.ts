import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventParser } from '../../../console/live/sse.ts';

const STREAM =
  'retry: 2000\n\nid: a-1\nevent: snapshot\ndata: {"a":1}\n\n: ping\n\nevent: look\r\ndata: 1\r\ndata: 2\r\n\r\n';
const EVENTS = [
  { id: 'a-1', event: 'snapshot', data: '{"a":1}' },
  { id: null, event: 'comment', data: 'ping' },
  { id: null, event: 'look', data: '1\n2' },
];

describe('an event stream', () => {
  it('is read whole', () => expect(new EventParser().feed(STREAM)).toEqual(EVENTS));

  it('is read the same however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (cuts) => {
        const parser = new EventParser();
        const found = [];
        let at = 0;
        for (let turn = 0; at < STREAM.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1;
          found.push(...parser.feed(STREAM.slice(at, at + length)));
          at += length;
        }
        expect(found).toEqual(EVENTS);
      }),
    );
  });
});
