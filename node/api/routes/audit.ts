import { z } from 'zod';
import { unconfined } from '../actor.ts';
import { cursorOf, keyOf, pageOf, pageQuery } from '../paging.ts';
import { type Route, route } from '../route.ts';
import { auditView } from '../views.ts';

export const AUDIT_ROUTES: readonly Route[] = [
  route({
    id: 'listAudit',
    method: 'GET',
    path: '/audit',
    tag: 'audit',
    summary: 'Who did what, when, from where, why and with what result, newest first.',
    access: 'admin',
    query: pageQuery.extend({
      who: z.string().max(256).optional().describe('Only of this account or token.'),
      action: z.string().max(64).optional(),
      object: z.string().max(512).optional(),
      result: z.enum(['done', 'refused', 'failed']).optional(),
    }),
    answer: pageOf(auditView),
    async handle({ services, principal, query: { limit, cursor, who, action, object, result } }) {
      unconfined(principal, 'the audit log is that of all');
      const { items, next } = await services.audit.list({
        limit,
        before: keyOf(cursor, /^[0-9]{15}-[0-9a-f]{8}$/),
        matches: (one) =>
          (who === undefined || one.who === who) &&
          (action === undefined || one.action === action) &&
          (object === undefined || one.object === object) &&
          (result === undefined || one.result === result),
      });
      return { items: [...items], next: next === null ? null : cursorOf(next) };
    },
  }),
];
