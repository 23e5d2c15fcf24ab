import { describe, expect, test } from 'vitest';
import { newTenure, pipelineId } from '../../../../model/ids.ts';
import { PayloadStore } from '../../../../stages/pipe/payload-store.ts';

const pipeline = pipelineId('p');
const tenure = newTenure();
const never = new AbortController().signal;
const key = (seq: bigint, part = 0, of = tenure) => ({
  pipeline,
  tenure: of,
  seq,
  part,
  sha256: `${seq}.${part}`,
});

async function settled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([
    promise.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);
}

describe('PayloadStore', () => {
  test('holds at most its bound, but never refuses the lowest sequence', async () => {
    const store = new PayloadStore({ maxBytes: 100 });
    await store.put(key(5n), Buffer.alloc(90), never);
    const later = store.put(key(6n), Buffer.alloc(20), never);
    expect(await settled(later)).toBe(false);
    await store.put(key(4n), Buffer.alloc(1000), never);
    expect(store.heldBytes).toBe(1090);
    store.received(pipeline, tenure, 4n);
    expect(await settled(later)).toBe(false);
    store.received(pipeline, tenure, 5n);
    await later;
    expect(store.heldBytes).toBe(20);
    expect(store.get(key(6n))?.length).toBe(20);
    expect(store.get(key(5n))).toBeNull();
  });

  test('parts go one by one; another reign takes everything of the old one', async () => {
    const store = new PayloadStore({ maxBytes: 100 });
    for (const part of [0, 1, 2]) await store.put(key(1n, part), Buffer.alloc(10), never);
    store.partReceived(pipeline, tenure, 1n, 1);
    expect([0, 1, 2].map((part) => store.get(key(1n, part)) !== null)).toEqual([false, false, true]);
    const next = newTenure();
    await store.put(key(1n, 0, next), Buffer.alloc(10), never);
    store.ruling(pipeline, next);
    expect(store.get(key(1n, 2))).toBeNull();
    expect(store.heldBytes).toBe(10);
  });

  test('a put that waits ends with its signal, and leaves nothing behind', async () => {
    const store = new PayloadStore({ maxBytes: 10 });
    await store.put(key(1n), Buffer.alloc(10), never);
    const controller = new AbortController();
    const waiting = store.put(key(2n), Buffer.alloc(10), controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    store.received(pipeline, tenure, 1n);
    expect(store.heldBytes).toBe(0);
  });

  test('what was sent ahead takes room from nobody, goes first, and counts like others once it is asked for', async () => {
    const store = new PayloadStore({ maxBytes: 100 });
    expect(store.putAhead(key(1n), Buffer.alloc(10))).toBe(false);
    store.ruling(pipeline, tenure);
    expect(store.putAhead(key(1n, 0, newTenure()), Buffer.alloc(10))).toBe(false);
    await store.put(key(1n), Buffer.alloc(40), never);
    expect(store.putAhead(key(2n), Buffer.alloc(61))).toBe(false);
    expect([2n, 3n, 4n].map((seq) => store.putAhead(key(seq), Buffer.alloc(20)))).toEqual([true, true, true]);
    expect(store.get(key(3n))?.length).toBe(20);
    await store.put(key(5n), Buffer.alloc(20), never);
    await store.put(key(6n), Buffer.alloc(20), never);
    expect([1n, 2n, 3n, 4n, 5n, 6n].filter((seq) => store.get(key(seq)) !== null)).toEqual([1n, 3n, 5n, 6n]);
    const later = store.put(key(7n), Buffer.alloc(20), never);
    expect(await settled(later)).toBe(false);
    store.ruling(pipeline, newTenure());
    await later;
  });
});
