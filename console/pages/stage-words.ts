/** The four stages as the pages name and colour them. */
import type { StageName } from '../../model/stage.ts';

export const STAGE_TITLE: Readonly<Record<StageName, string>> = {
  select: 'Select',
  extract: 'Extract',
  transform: 'Transform',
  load: 'Load',
};

export const STAGE_DOES: Readonly<Record<StageName, string>> = {
  select: 'reads the log, cuts batches',
  extract: 'filters rows at the source',
  transform: 'maps them at the target',
  load: 'applies and commits',
};
