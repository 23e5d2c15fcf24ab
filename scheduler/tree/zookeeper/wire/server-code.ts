import type { TreeErrorKind } from '../../tree-error.ts';

/**
 * Error numbers of ZooKeeper 3.8 (`KeeperException.Code`). Servers may send others, newer ones among them: an unknown
 * number is an answer like any other and never throws (defect Z7 of the node-zookeeper-client library).
 */
export const serverCodes = {
  ok: 0,
  systemError: -1,
  runtimeInconsistency: -2,
  dataInconsistency: -3,
  connectionLoss: -4,
  marshallingError: -5,
  unimplemented: -6,
  operationTimeout: -7,
  badArguments: -8,
  newConfigNoQuorum: -13,
  reconfigInProgress: -14,
  apiError: -100,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidCallback: -113,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  notReadOnly: -119,
  ephemeralOnLocalSession: -120,
  noWatcher: -121,
  requestTimeout: -122,
  reconfigDisabled: -123,
  sessionClosedRequireSaslAuth: -124,
  quotaExceeded: -125,
  throttledOp: -127,
} as const;

const names = new Map<number, string>(Object.entries(serverCodes).map(([name, code]) => [code, name]));

/** `noNode`, or `code -999` for one we do not know. */
export function nameOfServerCode(code: number): string {
  return names.get(code) ?? `code ${code}`;
}

/** What a non-zero answer to a request means to its caller. */
export function kindOfServerCode(code: number): TreeErrorKind {
  switch (code) {
    case serverCodes.noNode:
      return 'no-node';
    case serverCodes.noAuth:
      return 'no-auth';
    case serverCodes.badVersion:
      return 'bad-version';
    case serverCodes.noChildrenForEphemerals:
      return 'ephemeral-parent';
    case serverCodes.nodeExists:
      return 'node-exists';
    case serverCodes.notEmpty:
      return 'not-empty';
    case serverCodes.sessionExpired:
      return 'session-lost';
    case serverCodes.authFailed:
    case serverCodes.sessionClosedRequireSaslAuth:
      return 'auth-failed';
    default:
      return 'server-error';
  }
}
