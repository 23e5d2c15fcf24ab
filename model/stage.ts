/** The four stages, in the order of the flow. */
export const STAGES = ['select', 'extract', 'transform', 'load'] as const;
export type StageName = (typeof STAGES)[number];

/** Stages that take tasks; Select has the mainstem instead. */
export const TASK_STAGES = ['extract', 'transform', 'load'] as const;
export type TaskStage = (typeof TASK_STAGES)[number];

/** Which end of the pipeline a stage runs at. */
export const STAGE_SIDE = {
  select: 'source',
  extract: 'source',
  transform: 'target',
  load: 'target',
} as const satisfies Record<StageName, 'source' | 'target'>;

/** The stage a batch goes to next, null after Load. */
export function nextStage(stage: StageName): TaskStage | null {
  switch (stage) {
    case 'select':
      return 'extract';
    case 'extract':
      return 'transform';
    case 'transform':
      return 'load';
    case 'load':
      return null;
    default:
      return stage satisfies never;
  }
}
