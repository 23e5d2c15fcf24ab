import { expect, it } from 'vitest';
import { ERROR_CODES } from '../../../../model/error-codes.ts';
import { isTreeError, TreeError, type TreeErrorKind } from '../../../../scheduler/tree/tree-error.ts';

const kinds: { readonly [Kind in TreeErrorKind]: true } = {
  'node-exists': true,
  'no-node': true,
  'bad-version': true,
  'not-empty': true,
  'ephemeral-parent': true,
  'no-auth': true,
  'connection-loss': true,
  'session-lost': true,
  'auth-failed': true,
  deadline: true,
  closed: true,
  'too-large': true,
  overloaded: true,
  'server-error': true,
};

it('has a listed code for every kind', () => {
  for (const kind of Object.keys(kinds) as TreeErrorKind[]) {
    const error = new TreeError(kind, { op: 'get', path: '/a' });
    expect(Object.keys(ERROR_CODES), kind).toContain(error.code);
    expect(isTreeError(error, kind)).toBe(true);
    expect(isTreeError(error)).toBe(true);
  }
});

it('says what, where, and what is not known', () => {
  const error = new TreeError('connection-loss', {
    op: 'multi',
    path: '/a',
    outcomeUnknown: true,
    detail: 'reset',
  });
  expect(error.message).toBe('multi /a: the connection was lost: reset (outcome unknown)');
  const failed = new TreeError('bad-version', { op: 'multi check', path: '/a', failedIndex: 2 });
  expect(failed.message).toBe('multi check operation 2 /a: the node has another version');
  expect(failed.facts).toMatchObject({ kind: 'bad-version', failedIndex: 2, path: '/a' });
});

it('is told from other errors', () => {
  expect(isTreeError(new Error('no'))).toBe(false);
  expect(isTreeError(new TreeError('no-node', { op: 'get', path: '/' }), 'node-exists')).toBe(false);
});
