import { describe, expect, it } from 'vitest';
import { JuteReader } from '../../../../../../scheduler/tree/zookeeper/wire/jute.ts';
import {
  maxSetWatchesBytes,
  setWatchesBodies,
} from '../../../../../../scheduler/tree/zookeeper/wire/set-watches.ts';

const context = { chroot: '/root', acl: [] };

describe('arming watches again', () => {
  it('says from where, and which', () => {
    const list = { data: ['/a'], missing: ['/b', '/'], children: ['/c'] };
    const [body, ...more] = setWatchesBodies(list, 7n, context);
    expect(more).toEqual([]);
    const reader = new JuteReader(body ?? Buffer.alloc(0));
    expect(reader.long()).toBe(7n);
    expect(reader.strings()).toEqual(['/root/a']);
    expect(reader.strings()).toEqual(['/root/b', '/root']);
    expect(reader.strings()).toEqual(['/root/c']);
    expect(reader.remaining).toBe(0);
  });

  it('says nothing of nothing', () => {
    expect(setWatchesBodies({ data: [], missing: [], children: [] }, 7n, context)).toEqual([]);
  });

  it('stays below what a server takes, and leaves none out (Z8)', () => {
    const paths = (kind: string) =>
      Array.from({ length: 10_000 }, (_, index) => `/${kind}/${'x'.repeat(40)}${index}`);
    const list = { data: paths('d'), missing: paths('m'), children: paths('c') };
    const bodies = setWatchesBodies(list, 7n, context);
    const found = { data: [] as string[], missing: [] as string[], children: [] as string[] };
    for (const body of bodies) {
      expect(body.length).toBeLessThan(maxSetWatchesBytes + 64);
      const reader = new JuteReader(body);
      expect(reader.long()).toBe(7n);
      for (const kind of ['data', 'missing', 'children'] as const)
        found[kind].push(...reader.strings().map((path) => path.slice('/root'.length)));
    }
    expect(found).toEqual(list);
  });
});
