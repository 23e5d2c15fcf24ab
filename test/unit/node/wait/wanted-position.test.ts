import { describe, expect, test } from 'vitest';
import { HoltError } from '../../../../lib/errors.ts';
import type { PositionText } from '../../../../model/position.ts';
import { wantedPosition } from '../../../../node/wait/wanted-position.ts';

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const MYSQL = `mysql:${UUID}:1-5` as PositionText;
const MARIADB = 'mariadb:0-1-5' as PositionText;
const FILE = 'file:0a1b:binlog.000003:154' as PositionText;

describe('wantedPosition()', () => {
  test.each<[string, string, PositionText, string]>([
    ["a session's own GTID of MySQL", `${UUID.toUpperCase()}:7`, MYSQL, `mysql:${UUID}:7`],
    ['a set that the server broke into lines', `${UUID}:1-3,\n ${UUID}:5`, MYSQL, `mysql:${UUID}:1-3:5`],
    ['a GTID of MariaDB', ' 0-1-42 ', MARIADB, 'mariadb:0-1-42'],
    ['a list of MariaDB', '1-2-3,0-1-42', MARIADB, 'mariadb:0-1-42,1-2-3'],
    [
      "a place in the log, of the checkpoint's server",
      'binlog.000004:99',
      FILE,
      'file:0a1b:binlog.000004:99',
    ],
    ['a position as Holt shows it', 'mariadb:0-1-42', MARIADB, 'mariadb:0-1-42'],
  ])('takes %s', (_what, input, like, expected) => {
    expect(wantedPosition(input, like)).toBe(expected);
  });

  test.each<[string, string, PositionText]>([
    ['another flavour', '0-1-42', MYSQL],
    ['another flavour, as Holt shows it', `mysql:${UUID}:1`, MARIADB],
    ['a place where there are GTIDs', 'binlog.000004:99', MARIADB],
    ['a GTID where there are none', '0-1-42', FILE],
    ['nothing', '', MARIADB],
    ['nothing of MySQL', '', MYSQL],
    ['what is no position', 'yesterday', MYSQL],
  ])('refuses %s', (_what, input, like) => {
    expect(() => wantedPosition(input, like)).toThrow(HoltError);
    try {
      wantedPosition(input, like);
    } catch (error) {
      expect((error as HoltError).code).toBe('HOLT_POSITION_INVALID');
    }
  });
});
