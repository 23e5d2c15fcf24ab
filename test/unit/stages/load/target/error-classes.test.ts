import { describe, expect, it } from 'vitest';
import { HoltError } from '../../../../../lib/errors.ts';
import { DivergenceSignal } from '../../../../../stages/load/load.ts';
import { classify, publicText, targetError } from '../../../../../stages/load/target/error-classes.ts';
import { TargetLinkError, TargetServerError } from '../../../../../stages/load/target/target-connection.ts';

const server = (errno: number, serverText = 'text') =>
  new TargetServerError({ server: 'west-db', errno, sqlState: 'HY000', symbol: 'ER_X', serverText });

describe('classify()', () => {
  it.each([
    [server(1205), 'conflict'],
    [server(1213), 'conflict'],
    [server(1062), 'careful'],
    [server(1452), 'careful'],
    [server(1406), 'careful'],
    [new DivergenceSignal(), 'careful'],
    [server(1053), 'lost'],
    [server(1927), 'lost'],
    [new TargetLinkError('west-db', 'reset'), 'lost'],
    [server(1146), 'stale'],
    [server(1054), 'stale'],
    [server(1290), 'blocked'],
    [server(1114), 'blocked'],
    [server(1045), 'blocked'],
    [server(1142), 'blocked'],
    [server(1040), 'blocked'],
    [server(9999), 'blocked'],
    [new HoltError('HOLT_TARGET_TLS', 'x', { disposition: 'retry' }), 'blocked'],
    [new HoltError('HOLT_X', 'x', { disposition: 'pause' }), 'other'],
    [new TypeError('x'), 'other'],
  ] as const)('%s is %s', (error, expected) => {
    expect(classify(error)).toBe(expected);
  });
});

describe('targetError()', () => {
  it.each([
    [server(1290), 'HOLT_TARGET_READ_ONLY'],
    [server(1114), 'HOLT_TARGET_DISK'],
    [server(1040), 'HOLT_TARGET_CONNECTIONS'],
    [server(1142), 'HOLT_TARGET_ACCESS_DENIED'],
    [server(1146), 'HOLT_TARGET_TABLE'],
    [server(1064), 'HOLT_TARGET_STATEMENT'],
    [new TargetLinkError('west-db', 'reset'), 'HOLT_TARGET_UNREACHABLE'],
    [new TypeError('x'), 'HOLT_LOAD_DEFECT'],
  ] as const)('%s is shown as %s', (error, code) => {
    expect(targetError(error).code).toBe(code);
  });

  it('passes a HoltError on as it is', () => {
    const error = new HoltError('HOLT_X', 'x');
    expect(targetError(error)).toBe(error);
  });

  it('shows no text that may hold the values of a row', () => {
    const duplicate = server(1062, "Duplicate entry 'secret' for key 'PRIMARY'");
    expect(publicText(duplicate)).not.toContain('secret');
    expect(targetError(duplicate).message).not.toContain('secret');
    expect(targetError(duplicate).message).toContain('west-db');
    expect(publicText(server(1146, "Table 'shop.orders' doesn't exist"))).toContain('shop.orders');
  });
});
