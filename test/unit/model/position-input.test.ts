import { describe, expect, test } from 'vitest';
import { positionFromInput } from '../../../model/position-input.ts';

const UUID = '3E11FA47-71CA-11E1-9E33-C80AA9429562';

describe('positionFromInput()', () => {
  test('gives the canonical text, by which positions are compared', () => {
    expect(positionFromInput(` mysql:${UUID}:3-5, ${UUID}:1-2`)).toBe(`mysql:${UUID.toLowerCase()}:1-5`);
    expect(positionFromInput('mariadb:1-2-3, 0-101-50\n')).toBe('mariadb:0-101-50,1-2-3');
    expect(positionFromInput('file:101:binlog.000001:4')).toBe('file:101:binlog.000001:4');
    expect([positionFromInput('mysql:'), positionFromInput('mariadb:')]).toEqual(['mysql:', 'mariadb:']);
  });

  test.each([
    'garbage',
    '',
    'mysql:abc',
    'mariadb:0-101-xx',
    'mariadb:0-1-2,0-1-3',
    'file:101:binlog.000001',
    'file:101:binlog.000001:1e3',
    'file:101:binlog.000001:3',
  ])('refuses %j', (text) => {
    expect(() => positionFromInput(text)).toThrow(expect.objectContaining({ code: 'HOLT_POSITION_INVALID' }));
  });
});
