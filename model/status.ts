/** What a pipeline is said to be doing; shown only while the owner's lease is fresh. */
export const PIPELINE_STATES = [
  'running',
  'idle',
  'catching-up',
  'degraded',
  'paused',
  'stopped',
  'failed',
  'unknown',
] as const;
export type PipelineState = (typeof PIPELINE_STATES)[number];

/** What an operator, or Holt itself after an error, wants of a pipeline. */
export const DESIRED_STATES = ['running', 'paused', 'stopped'] as const;
export type DesiredState = (typeof DESIRED_STATES)[number];
