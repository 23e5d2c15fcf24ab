import { describe, expect, it } from 'vitest';
import { formatServer, parseConnectString } from '../../../../../scheduler/tree/zookeeper/connect-string.ts';

describe('connect strings', () => {
  it.each([
    ['zk1:2181', [{ host: 'zk1', port: 2181 }], ''],
    ['zk1', [{ host: 'zk1', port: 2181 }], ''],
    [
      'zk1:1,zk2:2/holt/prod',
      [
        { host: 'zk1', port: 1 },
        { host: 'zk2', port: 2 },
      ],
      '/holt/prod',
    ],
    [
      '10.0.0.1:5, 10.0.0.2:6',
      [
        { host: '10.0.0.1', port: 5 },
        { host: '10.0.0.2', port: 6 },
      ],
      '',
    ],
    [
      '[::1]:2181,[fe80::1%eth0]/a',
      [
        { host: '::1', port: 2181 },
        { host: 'fe80::1%eth0', port: 2181 },
      ],
      '/a',
    ],
    ['zk1:2181/', [{ host: 'zk1', port: 2181 }], ''],
  ])('reads %s', (text, servers, chroot) => {
    expect(parseConnectString(text)).toEqual({ servers, chroot });
  });

  it.each([
    '',
    ',',
    'zk1:',
    'zk1:0',
    'zk1:70000',
    'zk1:x',
    '::1',
    '::1:2181',
    '[::1',
    'zk1,,zk2',
    'zk1/a/',
    'zk1//a',
    'a b:1',
  ])('refuses %j', (text) => {
    expect(() => parseConnectString(text)).toThrow(RangeError);
  });

  it('writes servers', () => {
    expect(formatServer({ host: '::1', port: 1 })).toBe('[::1]:1');
    expect(formatServer({ host: 'zk1', port: 2 })).toBe('zk1:2');
  });
});
