import { unreachable } from '../../lib/assert.ts';
import { type Disposition, HoltError } from '../../lib/errors.ts';

/**
 * What can go wrong with a request to the tree. The first five are answers: the tree decided, and nothing was
 * written. The others say that an answer is missing, refused or impossible.
 *
 * - `node-exists`: create found the node there.
 * - `no-node`: the node, or for create its parent, is not there.
 * - `bad-version`: the version given is not the node's.
 * - `not-empty`: remove found children.
 * - `ephemeral-parent`: create under an ephemeral node.
 * - `no-auth`: the node's ACL does not let this session do it.
 * - `connection-loss`: the connection went while the request was on its way. See `outcomeUnknown`.
 * - `session-lost`: the session (epoch) in which the request was made is over; its ephemerals are gone or going.
 * - `auth-failed`: the server refused the credentials of the session.
 * - `deadline`: no answer within the request's deadline. See `outcomeUnknown`.
 * - `closed`: the tree was stopped.
 * - `too-large`: the request is larger than a server takes; it was not sent.
 * - `overloaded`: too much waits to be sent already; it was not queued.
 * - `server-error`: anything else the server says, unknown codes included; `serverCode` holds it.
 */
export type TreeErrorKind =
  | 'node-exists'
  | 'no-node'
  | 'bad-version'
  | 'not-empty'
  | 'ephemeral-parent'
  | 'no-auth'
  | 'connection-loss'
  | 'session-lost'
  | 'auth-failed'
  | 'deadline'
  | 'closed'
  | 'too-large'
  | 'overloaded'
  | 'server-error';

export interface TreeErrorOptions {
  /** The request: `get`, `multi`… */
  readonly op: string;
  readonly path: string;
  /** True when a write was sent and no answer came: it may or may not have happened, or may still happen. */
  readonly outcomeUnknown?: boolean;
  /** In a multi: which operation failed, from 0. */
  readonly failedIndex?: number;
  /** The server's own error number, when it sent one. */
  readonly serverCode?: number;
  readonly detail?: string;
  readonly cause?: unknown;
}

/** A request to the tree that did not succeed. Callers act on `kind` and, for writes, on `outcomeUnknown`. */
export class TreeError extends HoltError {
  readonly kind: TreeErrorKind;
  readonly op: string;
  readonly path: string;
  readonly outcomeUnknown: boolean;
  readonly failedIndex: number | undefined;
  readonly serverCode: number | undefined;

  constructor(kind: TreeErrorKind, options: TreeErrorOptions) {
    const { op, path, outcomeUnknown = false, failedIndex, serverCode, detail, cause } = options;
    const meaning = meaningOf(kind);
    const where = failedIndex === undefined ? `${op} ${path}` : `${op} operation ${failedIndex} ${path}`;
    const tail = (detail === undefined ? '' : `: ${detail}`) + (outcomeUnknown ? ' (outcome unknown)' : '');
    super(meaning.code, `${where}: ${meaning.text}${tail}`, {
      disposition: meaning.disposition,
      facts: { kind, op, path, outcomeUnknown, failedIndex, serverCode },
      ...(meaning.remedy === undefined ? {} : { remedy: meaning.remedy }),
      ...(cause === undefined ? {} : { cause }),
    });
    this.kind = kind;
    this.op = op;
    this.path = path;
    this.outcomeUnknown = outcomeUnknown;
    this.failedIndex = failedIndex;
    this.serverCode = serverCode;
  }
}

/** True for a `TreeError` of one of these kinds. */
export function isTreeError(error: unknown, ...kinds: readonly TreeErrorKind[]): error is TreeError {
  return error instanceof TreeError && (kinds.length === 0 || kinds.includes(error.kind));
}

interface Meaning {
  readonly code: string;
  readonly text: string;
  readonly disposition: Disposition;
  readonly remedy?: string;
}

function meaningOf(kind: TreeErrorKind): Meaning {
  switch (kind) {
    case 'node-exists':
      return { code: 'HOLT_TREE_NODE_EXISTS', text: 'the node exists', disposition: 'retry' };
    case 'no-node':
      return { code: 'HOLT_TREE_NO_NODE', text: 'no such node', disposition: 'retry' };
    case 'bad-version':
      return { code: 'HOLT_TREE_BAD_VERSION', text: 'the node has another version', disposition: 'retry' };
    case 'not-empty':
      return { code: 'HOLT_TREE_NOT_EMPTY', text: 'the node has children', disposition: 'retry' };
    case 'ephemeral-parent':
      return {
        code: 'HOLT_TREE_EPHEMERAL_PARENT',
        text: 'an ephemeral node cannot have children',
        disposition: 'pause',
      };
    case 'no-auth':
      return {
        code: 'HOLT_TREE_NO_AUTH',
        text: 'the node does not allow this to our credentials',
        disposition: 'pause',
        remedy:
          'Give the node the credentials with which the tree was created, or correct the ACL of the node.',
      };
    case 'connection-loss':
      return { code: 'HOLT_TREE_CONNECTION_LOSS', text: 'the connection was lost', disposition: 'retry' };
    case 'session-lost':
      return { code: 'HOLT_TREE_SESSION_LOST', text: 'the session is over', disposition: 'retry' };
    case 'auth-failed':
      return {
        code: 'HOLT_TREE_AUTH_FAILED',
        text: 'the coordination server refused our credentials',
        disposition: 'retry',
        remedy: 'Correct the ZooKeeper credentials in the node configuration.',
      };
    case 'deadline':
      return { code: 'HOLT_TREE_DEADLINE', text: 'no answer in time', disposition: 'retry' };
    case 'closed':
      return { code: 'HOLT_TREE_CLOSED', text: 'the coordination session was closed', disposition: 'fatal' };
    case 'too-large':
      return {
        code: 'HOLT_TREE_TOO_LARGE',
        text: 'the request is larger than a coordination server takes',
        disposition: 'pause',
      };
    case 'overloaded':
      return { code: 'HOLT_TREE_OVERLOADED', text: 'too many requests wait already', disposition: 'retry' };
    case 'server-error':
      return {
        code: 'HOLT_TREE_SERVER_ERROR',
        text: 'the coordination server refused the request',
        disposition: 'retry',
      };
    default:
      return unreachable(kind);
  }
}
