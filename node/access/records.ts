/**
 * What Holt keeps in the coordination tree about the use of its API, where every node of every site sees it. No secret is
 * there: passwords as scrypt, tokens as SHA-256 of 256 random bits.
 *
 * Each record is sealed under the cluster key together with its path: whoever can write to the tree and has no key can
 * take an account away, but cannot make one, nor put one's password in the place of another's.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { z } from 'zod';
import { ACCESS } from '../../scheduler/paths.ts';
import { foreignZnode } from '../../scheduler/record.ts';
import { passwordHash } from './password.ts';
import { ROLES } from './role.ts';
import { sameText } from './secret-token.ts';

const wallMs = z.number().nonnegative();
const hash = z.string().regex(/^[0-9a-f]{64}$/);
export const accountName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?$/, 'lower-case letters, digits, "-", "_" and ".", 1 to 64');
/** Patterns of pipelines, with * and ?; null for all. */
export const pipelineScope = z
  .array(z.string().regex(/^[a-z0-9_.*?-]{1,64}$/, 'a name of a pipeline, or a pattern with * and ?'))
  .min(1)
  .max(200)
  .nullable();

export const userRecord = z.strictObject({
  version: z.literal(1),
  name: accountName,
  role: z.enum(ROLES),
  pipelines: pipelineScope,
  disabled: z.boolean(),
  password: passwordHash,
  /** Counts changes that end every login: another password, another role, disabled. */
  generation: z.number().int().nonnegative(),
  createdMs: wallMs,
  createdBy: z.string().max(256),
  changedMs: wallMs,
});
export type UserRecord = z.infer<typeof userRecord>;

export const tokenRecord = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  /** What it is for. */
  name: z.string().min(1).max(128),
  role: z.enum(ROLES),
  pipelines: pipelineScope,
  /** The account it belongs to and dies with; null for one made by a token. */
  user: accountName.nullable(),
  hash,
  createdMs: wallMs,
  createdBy: z.string().max(256),
  expiresMs: wallMs.nullable(),
  /** To ten minutes. */
  lastUsedMs: wallMs.nullable(),
  lastUsedFrom: z.string().max(64).nullable(),
});
export type TokenRecord = z.infer<typeof tokenRecord>;

export const sessionRecord = z.strictObject({
  version: z.literal(1),
  user: accountName,
  generation: z.number().int().nonnegative(),
  hash,
  createdMs: wallMs,
  expiresMs: wallMs,
  from: z.string().max(64),
});
export type SessionRecord = z.infer<typeof sessionRecord>;

export const setupRecord = z.strictObject({
  version: z.literal(1),
  hash,
  /** Node that printed it. */
  by: z.string().max(64),
  createdMs: wallMs,
  expiresMs: wallMs,
});
export type SetupRecord = z.infer<typeof setupRecord>;

/** An answer that is given again to the same request. */
export const requestRecord = z.strictObject({
  version: z.literal(1),
  /** SHA-256 of method, path and body. */
  fingerprint: hash,
  atMs: wallMs,
  /** Null while it is being worked on, or when it must not be repeated because it held a secret. */
  answer: z.strictObject({ status: z.number().int(), body: z.string().max(64 * 1024) }).nullable(),
  done: z.boolean(),
});
export type RequestRecord = z.infer<typeof requestRecord>;

export const auditRecord = z.strictObject({
  version: z.literal(1),
  atMs: wallMs,
  /** Account, token or name tried. */
  who: z.string().max(256),
  how: z.enum(['user', 'token', 'config', 'anyone', 'nobody']),
  /** Address the request came from. */
  from: z.string().max(64),
  /** Node that was asked. */
  node: z.string().max(64),
  /** Operation of the API, such as `pausePipeline`. */
  action: z.string().max(64),
  /** What it was done to: a pipeline, a table, an account. */
  object: z.string().max(512),
  /** What was asked for, with secrets masked; before and after where both are known. */
  detail: z.string().max(4096),
  reason: z.string().max(4096),
  result: z.enum(['done', 'refused', 'failed']),
  code: z.string().max(64).nullable(),
  /** The entry that this process wrote before; null for its first. A gap shows what was taken away. */
  previous: z.string().max(64).nullable(),
});
export type AuditRecord = z.infer<typeof auditRecord>;

export const userPath = (name: string): string => `${ACCESS}/user/${name}`;
export const tokenPath = (id: string): string => `${ACCESS}/token/${id}`;
export const sessionPath = (id: string): string => `${ACCESS}/session/${id}`;
export const setupPath = `${ACCESS}/setup`;
export const requestPath = (id: string): string => `${ACCESS}/request/${id}`;
export const auditPath = `${ACCESS}/audit`;

/** The key that seals records, made of the cluster key, so that what signs calls is used for nothing else. */
export function sealKey(clusterKey: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', clusterKey, 'holt', 'access records', 32));
}

/** JSON in an envelope `{record, seal}`. What is not sealed by us for this path is foreign. */
export interface Sealer<T> {
  write(value: T, path: string): Buffer;
  /** @throws HoltError HOLT_ZNODE_FOREIGN */
  read(data: Buffer, path: string): T;
}

export function sealer<T>(schema: z.ZodType<T>, key: Buffer): Sealer<T> {
  const seal = (path: string, record: unknown) =>
    createHmac('sha256', key)
      .update(`${path}\n${JSON.stringify(record)}`)
      .digest('hex');
  return {
    write(value, path) {
      const record: unknown = JSON.parse(JSON.stringify(schema.parse(value)));
      return Buffer.from(JSON.stringify({ record, seal: seal(path, record) }), 'utf8');
    },
    read(data, path) {
      let envelope: { readonly record?: unknown; readonly seal?: unknown } | null;
      try {
        envelope = JSON.parse(data.toString('utf8'));
      } catch (error) {
        throw foreignZnode(path, 'no JSON', error);
      }
      if (typeof envelope?.seal !== 'string' || !sameText(envelope.seal, seal(path, envelope.record)))
        throw foreignZnode(path, 'it is not sealed under the cluster key');
      const parsed = schema.safeParse(envelope.record);
      if (!parsed.success) throw foreignZnode(path, parsed.error.issues[0]?.message ?? 'another form');
      return parsed.data;
    },
  };
}
