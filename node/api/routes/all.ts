import type { Route } from '../route.ts';
import { ACCOUNT_ROUTES } from './accounts.ts';
import { ALARM_ROUTES } from './alarms.ts';
import { AUDIT_ROUTES } from './audit.ts';
import { CLUSTER_ROUTES } from './cluster.ts';
import { EVENT_ROUTES } from './events.ts';
import { PIPELINE_ROUTES } from './pipelines.ts';
import { SESSION_ROUTES } from './session.ts';
import { SUPPORT_ROUTES } from './support.ts';
import { TABLE_ROUTES } from './tables.ts';
import { TRACE_ROUTES } from './traces.ts';

/** The whole API. The OpenAPI document itself is served beside it. */
export const ROUTES: readonly Route[] = [
  ...CLUSTER_ROUTES,
  ...SESSION_ROUTES,
  ...ACCOUNT_ROUTES,
  ...AUDIT_ROUTES,
  ...PIPELINE_ROUTES,
  ...TABLE_ROUTES,
  ...TRACE_ROUTES,
  ...ALARM_ROUTES,
  ...EVENT_ROUTES,
  ...SUPPORT_ROUTES,
];
