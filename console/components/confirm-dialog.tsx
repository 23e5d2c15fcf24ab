/** Asks before something is done: names what it is done to, says what follows, and takes the reason for status and audit. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { FormDialog } from './form-dialog.tsx';
import { toastDone } from './toast.tsx';

export interface Confirmation {
  /** `Pause`. */
  readonly verb: string;
  /** `pipeline`. */
  readonly kind: string;
  /** Its name, as it must be typed where `mustType`. */
  readonly object: string;
  /** What follows. */
  readonly children: ComponentChildren;
  /** `asked`: may stay empty; `needed`: not; `none`: no field. */
  readonly reason: 'none' | 'asked' | 'needed';
  /** The name must be typed: there is no way back. */
  readonly mustType?: boolean;
  readonly isDanger?: boolean;
  /** Said when it is done. */
  readonly done: string;
  act(why: string): Promise<unknown>;
}

export function ConfirmDialog({ ask, close }: { readonly ask: Confirmation; readonly close: () => void }) {
  const [why, setWhy] = useState('');
  const [typed, setTyped] = useState('');
  return (
    <FormDialog
      title={
        <>
          {ask.verb} {ask.kind} <code>{ask.object}</code>
        </>
      }
      verb={`${ask.verb} ${ask.kind}`}
      isReady={
        (ask.reason !== 'needed' || why.trim() !== '') && (ask.mustType !== true || typed === ask.object)
      }
      isDanger={ask.isDanger === true}
      act={async () => {
        await ask.act(why.trim());
        toastDone(ask.done);
      }}
      close={close}
    >
      <div class="dialog-text">{ask.children}</div>
      {ask.reason !== 'none' && (
        <label class="field">
          <span>
            Reason{' '}
            <span class="hint">
              {ask.reason === 'needed' ? 'needed' : 'optional'}; shown in status and audit log
            </span>
          </span>
          <textarea
            rows={2}
            maxLength={4096}
            value={why}
            required={ask.reason === 'needed'}
            onInput={(event) => setWhy(event.currentTarget.value)}
          />
        </label>
      )}
      {ask.mustType === true && (
        <label class="field">
          <span>
            Type <code>{ask.object}</code> to go on
          </span>
          <input
            value={typed}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
      )}
    </FormDialog>
  );
}
