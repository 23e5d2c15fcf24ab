/** Who may fetch a payload: whoever holds a claim on the batch now, or is announced in its header (protocol section 3). */
import { batchHeader } from '../../model/batch.ts';
import { TASK_STAGES } from '../../model/stage.ts';
import { lockOf, recordPath, taskPath } from '../../scheduler/paths.ts';
import { epochRecord, lockRecord } from '../../scheduler/records.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import type { PayloadKey, PipeGuard } from '../../stages/pipe/pipe.ts';

export function claimGuard(tree: CoordinationTree): PipeGuard {
  return {
    async mayFetch(node, key) {
      const epoch = epochRecord.safeParse(json((await tree.get(recordPath(key.pipeline, 'epoch')))?.data));
      if (!epoch.success || epoch.data.tenure !== key.tenure) return false;
      const answers = await Promise.all(
        TASK_STAGES.map((stage) => holds(tree, node, key, stage, epoch.data.epoch)),
      );
      return answers.includes(true);
    },
  };
}

async function holds(
  tree: CoordinationTree,
  node: string,
  key: PayloadKey,
  stage: (typeof TASK_STAGES)[number],
  epoch: number,
): Promise<boolean> {
  const path = taskPath(key.pipeline, stage, { epoch, seq: key.seq, part: key.part });
  const [task, lock] = await Promise.all([tree.get(path), tree.get(lockOf(path))]);
  if (task === null) return false;
  const header = batchHeader.safeParse(json(task.data));
  if (header.success && header.data.hint === node) return true;
  const holder = lockRecord.safeParse(json(lock?.data));
  return holder.success && holder.data.node === node;
}

function json(data: Buffer | undefined): unknown {
  try {
    return data === undefined ? null : JSON.parse(data.toString('utf8'));
  } catch {
    return null;
  }
}
