/** What can be done with a pipeline, by whoever may: each is asked about first, by name. */
import { useState } from 'preact/hooks';
import type { PipelineState } from '../../model/status.ts';
import { change } from '../api/client.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Icon, type IconName } from '../components/icon.tsx';
import { navigate } from '../router/router.tsx';
import { useMay } from '../session/session.ts';

export type PipelineAction = 'resume' | 'start' | 'restart' | 'pause' | 'stop' | 'delete';

const RUNNING: readonly PipelineAction[] = ['pause', 'stop', 'restart'];
const OFFERED: Readonly<Record<PipelineState, readonly PipelineAction[]>> = {
  running: RUNNING,
  idle: RUNNING,
  'catching-up': RUNNING,
  degraded: RUNNING,
  unknown: RUNNING,
  paused: ['resume', 'stop'],
  failed: ['resume', 'restart', 'stop'],
  stopped: ['start', 'delete'],
};

interface Kind {
  readonly title: string;
  readonly icon: IconName;
  readonly text: string;
  readonly done: string;
}

const KINDS: Readonly<Record<PipelineAction, Kind>> = {
  resume: {
    title: 'Resume',
    icon: 'play',
    text: 'It goes on where it stopped: nothing is lost, nothing is applied twice.',
    done: 'goes on',
  },
  start: {
    title: 'Start',
    icon: 'play',
    text: 'It goes on from its checkpoint.',
    done: 'starts',
  },
  pause: {
    title: 'Pause',
    icon: 'pause',
    text: 'What is in flight is finished; then it waits. The target falls behind until it is resumed.',
    done: 'pauses',
  },
  stop: {
    title: 'Stop',
    icon: 'stop',
    text: 'What is in flight is finished; then it lets go of source and target. Take care that the source keeps its log until it is started again.',
    done: 'stops',
  },
  restart: {
    title: 'Restart',
    icon: 'clock',
    text: 'Every stage lets go of what it holds and reads on from the checkpoint. Nothing is lost, nothing is applied twice.',
    done: 'begins anew from its checkpoint',
  },
  delete: {
    title: 'Delete',
    icon: 'trash',
    text: 'Its znodes are taken away, and its rows in the schema holt at the target: checkpoint, ledger, what is held. The tables that it carried stay. There is no way back.',
    done: 'is deleted',
  },
};

export function PipelineActions({ name, state }: { readonly name: string; readonly state: PipelineState }) {
  const [asked, setAsked] = useState<PipelineAction | null>(null);
  const isOperator = useMay('operator');
  const isAdmin = useMay('admin');
  const offered = OFFERED[state].filter((action) => (action === 'delete' ? isAdmin : isOperator));
  return (
    <>
      {offered.map((action) => (
        <button key={action} type="button" class="button" onClick={() => setAsked(action)}>
          <Icon name={KINDS[action].icon} size={14} />
          {KINDS[action].title}
        </button>
      ))}
      {asked !== null && <ConfirmDialog ask={confirmation(asked, name)} close={() => setAsked(null)} />}
    </>
  );
}

function confirmation(action: PipelineAction, name: string): Confirmation {
  const { title, text, done } = KINDS[action];
  const isDelete = action === 'delete';
  return {
    verb: title,
    kind: 'pipeline',
    object: name,
    children: <p>{text}</p>,
    reason: action === 'stop' || isDelete ? 'needed' : 'asked',
    mustType: isDelete,
    isDanger: isDelete,
    done: `${name} ${done}.`,
    act: async (why) => {
      await send(action, name, why);
      if (isDelete) navigate('/pipelines');
    },
  };
}

/** As the API takes it. */
export function send(action: PipelineAction, name: string, why: string): Promise<unknown> {
  const path = `/pipelines/${encodeURIComponent(name)}`;
  if (action === 'delete') return change('DELETE', path, undefined, { query: { why } });
  return change(action === 'restart' ? 'POST' : 'PUT', `${path}/${action}`, { why });
}
