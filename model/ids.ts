/**
 * The glossary of Holt, and the ids that follow from it. These words, and no others, are used in code, logs,
 * tables, znodes, commands and docs.
 *
 * - site: a data centre. node: one Holt process at a site. data source: a named MySQL endpoint at a site.
 * - pipeline: one direction, source → target, with table pairs. channel: pipelines that keep the same data in step.
 * - stage: one of Select, Extract, Transform, Load. batch: a run of whole source transactions with a sequence number.
 * - task: a batch at a stage (a znode). claim: the lock znode under a task. mainstem: the claim on Select.
 * - epoch and tenure: one reign of a mainstem; the number orders, the random id identifies. raise: beginning a reign in the target.
 * - window: batches in flight. pipe: what carries a batch's payload between nodes. receipt: Load's answer.
 * - checkpoint: the row in the target that says how far. origin: the site where a change was first made.
 * - ledger: the table of changes not applied as they came. termination: normal, rewind or pause.
 */
import { randomBytes } from 'node:crypto';
import type { Brand } from '../lib/brand.ts';
import { HoltError } from '../lib/errors.ts';

export type SiteId = Brand<string, 'SiteId'>;
export type NodeId = Brand<string, 'NodeId'>;
export type DataSourceId = Brand<string, 'DataSourceId'>;
export type PipelineId = Brand<string, 'PipelineId'>;
export type ChannelId = Brand<string, 'ChannelId'>;
/** 128 random bits as 32 lower-case hex digits. */
export type Tenure = Brand<string, 'Tenure'>;
/** The id of one holder of a run of Load, 128 random bits as hex. */
export type LoaderId = Brand<string, 'LoaderId'>;

const NAME = /^[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?$/;

/** What every name in Holt looks like: it becomes part of znode paths, metric labels and table keys. */
export const NAME_RULE =
  'lower-case letters, digits, "-", "_" and ".", 1 to 64 of them, beginning and ending with a letter or digit';

function parseName<T extends string>(kind: string, text: string): T {
  if (!NAME.test(text) || text.includes('..'))
    throw new HoltError('HOLT_NAME_INVALID', `${JSON.stringify(text)} is no ${kind} name: ${NAME_RULE}`, {
      disposition: 'fatal',
    });
  return text as T;
}

export const siteId = (text: string): SiteId => parseName('site', text);
export const nodeId = (text: string): NodeId => parseName('node', text);
export const dataSourceId = (text: string): DataSourceId => parseName('data source', text);
export const pipelineId = (text: string): PipelineId => parseName('pipeline', text);
export const channelId = (text: string): ChannelId => parseName('channel', text);

const HEX_128 = /^[0-9a-f]{32}$/;

function parseHex128<T extends string>(kind: string, text: string): T {
  if (!HEX_128.test(text))
    throw new HoltError('HOLT_ID_INVALID', `${JSON.stringify(text)} is no ${kind}: 32 hex digits expected`);
  return text as T;
}

export const parseTenure = (text: string): Tenure => parseHex128('tenure', text);
export const parseLoaderId = (text: string): LoaderId => parseHex128('loader id', text);
export const newTenure = (): Tenure => randomBytes(16).toString('hex') as Tenure;
export const newLoaderId = (): LoaderId => randomBytes(16).toString('hex') as LoaderId;
