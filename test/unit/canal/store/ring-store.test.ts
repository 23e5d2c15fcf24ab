import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RingStore } from '../../../../canal/store/ring-store.ts';

interface Item {
  readonly id: number;
  readonly bytes: number;
}

const item = (id: number, bytes = 1): Item => ({ id, bytes });

describe('RingStore', () => {
  it('gives each reader every item once, in order', () => {
    const ring = new RingStore<Item, { name: string }>({ maxBytes: 100, maxItems: 8 });
    const [a, b] = [{ name: 'a' }, { name: 'b' }];
    ring.add(a, 0);
    ring.add(b, 0);
    for (let id = 0; id < 5; id++) expect(ring.put(item(id))).toBe(true);
    expect([0, 1, 2].map(() => ring.get(a)?.id)).toEqual([0, 1, 2]);
    expect(ring.get(b)?.id).toBe(0);
    expect([ring.get(a)?.id, ring.get(a)?.id, ring.get(a)]).toEqual([3, 4, null]);
    expect(ring.waiting(b)).toBe(4);
  });

  it('is held back by the slowest reader, and by nobody once that one is removed', () => {
    const ring = new RingStore<Item, { name: string }>({ maxBytes: 100, maxItems: 4 });
    const [fast, slow] = [{ name: 'fast' }, { name: 'slow' }];
    ring.add(fast, 0);
    ring.add(slow, 0);
    for (let id = 0; id < 4; id++) ring.put(item(id));
    for (let id = 0; id < 4; id++) ring.get(fast);
    ring.ack(fast);
    expect(ring.put(item(4))).toBe(false);
    expect(ring.blocking(1)).toEqual([slow]);
    ring.remove(slow);
    expect(ring.put(item(4))).toBe(true);
    expect(ring.get(fast)?.id).toBe(4);
  });

  it('frees on ack, not on get', () => {
    const ring = new RingStore<Item>({ maxBytes: 2, maxItems: 8 });
    const reader = {};
    ring.add(reader, 0);
    ring.put(item(0));
    ring.put(item(1));
    ring.get(reader);
    expect(ring.put(item(2))).toBe(false);
    ring.ack(reader);
    expect(ring.put(item(2))).toBe(true);
  });

  it('lets an item larger than itself pass alone', () => {
    const ring = new RingStore<Item>({ maxBytes: 10, maxItems: 8 });
    const reader = {};
    ring.add(reader, 0);
    expect(ring.put(item(0, 50))).toBe(true);
    expect(ring.put(item(1, 1))).toBe(false);
    ring.get(reader);
    ring.ack(reader);
    expect(ring.put(item(1, 1))).toBe(true);
  });

  it('keeps acknowledged items as history until their room is needed', () => {
    const dropped: number[] = [];
    const ring = new RingStore<Item>({
      maxBytes: 3,
      maxItems: 8,
      onDrop: (one) => dropped.push(one.id),
    });
    const reader = {};
    ring.add(reader, 0);
    for (let id = 0; id < 3; id++) {
      ring.put(item(id));
      ring.get(reader);
      ring.ack(reader);
    }
    expect([ring.oldest, ring.at(0).id]).toEqual([0, 0]);
    ring.put(item(3));
    expect([ring.oldest, dropped]).toEqual([1, [0]]);
    const late = {};
    ring.add(late, 1);
    expect(ring.get(late)?.id).toBe(1);
  });

  it('keeps history only up to its bytes, and gives it back to a reader that returns for it', () => {
    const ring = new RingStore<Item>({ maxBytes: 100, maxItems: 16, historyBytes: 2 });
    const [one, two] = [{}, {}];
    ring.add(one, 0);
    for (let id = 0; id < 6; id++) ring.put(item(id));
    for (let id = 0; id < 5; id++) ring.get(one);
    ring.ack(one);
    expect(ring.oldest).toBe(3);
    ring.add(two, 3);
    ring.get(one);
    ring.ack(one);
    expect(ring.oldest).toBe(3);
    expect(ring.get(two)?.id).toBe(3);
    ring.remove(two);
    expect(ring.oldest).toBe(4);
  });

  it('refuses a reader outside what it has', () => {
    const ring = new RingStore<Item>({ maxBytes: 3, maxItems: 8 });
    ring.put(item(0));
    expect(() => ring.add({}, 2)).toThrow('outside');
  });

  it('never holds more than its bounds, and loses or repeats nothing for any reader, whatever the order of calls', () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), bytes: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constantFrom('get' as const, 'ack' as const), reader: fc.nat(2) }),
      fc.record({ kind: fc.constantFrom('leave' as const, 'join' as const), reader: fc.nat(2) }),
    );
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 200 }),
        fc.integer({ min: 0, max: 64 }),
        (commands, historyBytes) => {
          const maxBytes = 64;
          const ring = new RingStore<Item, { n: number }>({ maxBytes, maxItems: 8, historyBytes });
          const readers = [0, 1, 2].map((n) => ({ n }));
          const expected = new Map<{ n: number }, number>();
          let next = 0;
          for (const one of commands) {
            if (one.kind === 'put') {
              if (ring.put(item(next, one.bytes))) next += 1;
              else expect(ring.blocking(one.bytes).length).toBeGreaterThan(0);
            } else {
              const reader = readers[one.reader] ?? { n: -1 };
              const present = expected.get(reader);
              if (one.kind === 'join' && present === undefined) {
                ring.add(reader, ring.oldest);
                expected.set(reader, ring.oldest);
              } else if (one.kind === 'leave') {
                ring.remove(reader);
                expected.delete(reader);
              } else if (present !== undefined && one.kind === 'get') {
                const got = ring.get(reader);
                expect(got?.id ?? null).toBe(present < next ? present : null);
                if (got !== null) expected.set(reader, present + 1);
              } else if (present !== undefined && one.kind === 'ack') ring.ack(reader);
            }
            const held = ring.putCursor - ring.oldest;
            expect(held <= 1 || ring.bytes <= maxBytes).toBe(true);
            expect(held).toBeLessThanOrEqual(8);
            for (const reader of expected.keys()) {
              const { get, ack } = ring.cursorsOf(reader);
              if (expected.size > 0) {
                const lowest = Math.min(...[...expected.keys()].map((reader) => ring.cursorsOf(reader).ack));
                let history = 0;
                for (let at = ring.oldest; at < lowest; at++) history += ring.at(at).bytes;
                expect(history).toBeLessThanOrEqual(Math.max(historyBytes, 0));
              }
              expect(ring.oldest <= ack && ack <= get && get <= ring.putCursor).toBe(true);
            }
          }
        },
      ),
    );
  });
});
