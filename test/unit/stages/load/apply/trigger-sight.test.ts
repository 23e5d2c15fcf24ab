import { describe, expect, test } from 'vitest';
import { seesTriggers } from '../../../../../stages/load/apply/trigger-sight.ts';

describe('seesTriggers()', () => {
  test.each<[string, readonly string[], boolean]>([
    ['nothing', ['GRANT USAGE ON *.* TO `a`@`%`'], false],
    ['rows only', ['GRANT SELECT, INSERT, UPDATE, DELETE ON `shop`.* TO `a`@`%`'], false],
    ['everything everywhere', ['GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION'], true],
    ['5.6 quotes the account otherwise', ["GRANT SELECT, TRIGGER ON `shop`.* TO 'a'@'%'"], true],
    ['one list of all privileges', ['GRANT SELECT, EVENT, TRIGGER, CREATE ROLE ON *.* TO `a`@`%`'], true],
    ['the table itself', ['GRANT SELECT (`TRIGGER`), TRIGGER ON `shop`.`orders` TO `a`@`%`'], true],
    ['another table', ['GRANT TRIGGER ON `shop`.`items` TO `a`@`%`'], false],
    ['another schema', ['GRANT ALL PRIVILEGES ON `holt`.* TO `a`@`%`'], false],
    ['a pattern of schemas', ['GRANT TRIGGER ON `sh%`.* TO `a`@`%`'], true],
    ['an escaped pattern is a name', ['GRANT TRIGGER ON `sh\\_p`.* TO `a`@`%`'], false],
    ['an unescaped one is none', ['GRANT TRIGGER ON `sh_p`.* TO `a`@`%`'], true],
    ['a role is not one of its privileges', ['GRANT `TRIGGER`@`%` TO `a`@`%`'], false],
    ['a dynamic privilege of that name', ['GRANT XA_TRIGGER ON *.* TO `a`@`%`'], false],
    ['a column of that name', ['GRANT SELECT (`TRIGGER`) ON `shop`.`orders` TO `a`@`%`'], false],
    [
      'a partial revoke',
      ['GRANT SELECT, TRIGGER ON *.* TO `a`@`%`', 'REVOKE TRIGGER ON `shop`.* FROM `a`@`%`'],
      false,
    ],
    [
      'a partial revoke of something else',
      ['GRANT SELECT, TRIGGER ON *.* TO `a`@`%`', 'REVOKE SELECT ON `shop`.* FROM `a`@`%`'],
      true,
    ],
  ])('%s', (_, grants, sees) => {
    expect(seesTriggers(grants, 'shop', 'orders')).toBe(sees);
  });
});
