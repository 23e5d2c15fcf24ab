import type { z } from 'zod';
import { HoltError, messageOf } from '../lib/errors.ts';

/**
 * Bytes of a znode to a value and back. What does not have the form of ours gives `HOLT_ZNODE_FOREIGN` with the path:
 * its reader lets that pipeline wait, and goes on when the znode is right again.
 */
export interface RecordCodec<T> {
  encode(value: T): Buffer;
  /** @throws HoltError HOLT_ZNODE_FOREIGN */
  decode(data: Buffer, path: string): T;
}

/** JSON, checked against `schema` both ways: what we could not read back, we do not write. */
export function jsonRecord<T>(schema: z.ZodType<T>): RecordCodec<T> {
  return {
    encode(value) {
      const bytes = Buffer.from(JSON.stringify(value), 'utf8');
      schema.parse(JSON.parse(bytes.toString('utf8')));
      return bytes;
    },
    decode(data, path) {
      try {
        return schema.parse(JSON.parse(data.toString('utf8')));
      } catch (error) {
        throw foreignZnode(path, expectationOf(error), error);
      }
    },
  };
}

export function foreignZnode(path: string, what: string, cause?: unknown): HoltError {
  return new HoltError('HOLT_ZNODE_FOREIGN', `${path} does not hold what Holt writes there: ${what}`, {
    disposition: 'retry',
    remedy: `Look at ${path}; restore or remove it.`,
    facts: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The first thing that is wrong, without the data itself. */
function expectationOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'no JSON';
  const [issue] = (error as { readonly issues?: readonly z.core.$ZodIssue[] }).issues ?? [];
  if (issue === undefined) return messageOf(error);
  return `${issue.path.length === 0 ? 'the whole' : issue.path.join('.')}: ${issue.message}`;
}
