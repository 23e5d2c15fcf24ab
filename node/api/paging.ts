/** Lists go in pages: `{items, next}`, `next` being the cursor for the following page, null at the end. */
import { z } from 'zod';
import { HoltError } from '../../lib/errors.ts';

export const MAX_PAGE = 1000;

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item).readonly(),
    next: z.string().nullable().describe('Cursor of the next page; null at the end.'),
  });
}

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(100).describe('Most items of a page.'),
  cursor: z.string().max(512).optional().describe('`next` of the page before.'),
});
export type PageQuery = z.infer<typeof pageQuery>;

/** Cursors are opaque to callers, so that what is in them may change. */
export function cursorOf(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}

/** Null for the first page. @throws HoltError HOLT_REQUEST_INVALID for what is no cursor. */
export function keyOf(cursor: string | undefined, form: RegExp): string | null {
  if (cursor === undefined) return null;
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!form.test(key))
    throw new HoltError('HOLT_REQUEST_INVALID', 'cursor: it is not one that a page gave', {
      disposition: 'fatal',
    });
  return key;
}

/** A page of what is all at hand, by ascending key. A key that went meanwhile is passed over. */
export function pageByKey<T>(
  all: readonly T[],
  key: (one: T) => string,
  { limit, cursor }: PageQuery,
): { readonly items: readonly T[]; readonly next: string | null } {
  const after = keyOf(cursor, /^\P{Cc}{0,512}$/u);
  const sorted = all.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  const rest = after === null ? sorted : sorted.filter((one) => key(one) > after);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rest.length > limit && last !== undefined ? cursorOf(key(last)) : null };
}

/** A page of what was read newest first, one more than asked for, by descending number. */
export function pageByNumber<T extends { readonly id: string }>(
  read: readonly T[],
  limit: number,
): { readonly items: readonly T[]; readonly next: string | null } {
  const items = read.slice(0, limit);
  const last = items.at(-1);
  return { items, next: read.length > limit && last !== undefined ? cursorOf(last.id) : null };
}
