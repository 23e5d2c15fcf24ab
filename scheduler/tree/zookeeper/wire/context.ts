import type { Version } from '../../tree.ts';
import type { JuteWriter } from './jute.ts';

/** What the codecs need to know of the client: where its tree hangs, and who may use what it makes. */
export interface CodecContext {
  readonly chroot: string;
  readonly acl: readonly AclEntry[];
}

/** What an answer's body does not say itself. */
export interface AnswerContext {
  /** From the answer's header: the last transaction that the server had executed; for a write, the write itself. */
  readonly zxid: bigint;
  readonly sessionId: string;
}

/** `ACL { int perms; Id id; }`, `Id { ustring scheme; ustring id; }` */
export interface AclEntry {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

/** READ 1, WRITE 2, CREATE 4, DELETE 8, ADMIN 16. */
export const allPermissions = 31;

export function encodeCreate(
  writer: JuteWriter,
  request: { readonly path: string; readonly data: Buffer; readonly ephemeral?: boolean },
  context: CodecContext,
): void {
  writer.string(absolute(request.path, context)).buffer(request.data);
  writer.int(context.acl.length);
  for (const { permissions, scheme, id } of context.acl) writer.int(permissions).string(scheme).string(id);
  // CreateMode flags: 0 persistent, 1 ephemeral.
  writer.int(request.ephemeral ? 1 : 0);
}

/** The path as the servers know it. */
export function absolute(path: string, { chroot }: { readonly chroot: string }): string {
  if (chroot === '') return path;
  return path === '/' ? chroot : chroot + path;
}

/** The path as the client knows it; undefined if it lies outside. */
export function relative(path: string, { chroot }: { readonly chroot: string }): string | undefined {
  if (chroot === '') return path;
  if (path === chroot) return '/';
  return path.startsWith(`${chroot}/`) ? path.slice(chroot.length) : undefined;
}

/** -1 is "any" on the wire; 0 is 0 (defect Z1 of node-zookeeper-client). */
export function wireVersion(version: Version): number {
  return version === 'any' ? -1 : version;
}
