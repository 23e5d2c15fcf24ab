/** A name or position that people take elsewhere: shown whole or cut, copied whole. */
import { useState } from 'preact/hooks';
import { Icon } from './icon.tsx';

interface CopyableProps {
  readonly text: string;
  /** What it is, for whoever listens: `Copy position`. */
  readonly what: string;
  /** More characters than this are cut in the middle. */
  readonly most?: number;
}

export function Copyable({ text, what, most = 48 }: CopyableProps) {
  const [copied, setCopied] = useState(false);
  const half = Math.floor((most - 1) / 2);
  const shown = text.length > most ? `${text.slice(0, half)}…${text.slice(-half)}` : text;
  return (
    <span class="copyable">
      <code title={shown === text ? undefined : text}>{shown}</code>
      <button
        type="button"
        class="icon-button"
        aria-label={copied ? 'Copied' : `Copy ${what}`}
        title={`Copy ${what}`}
        onClick={() => {
          copyText(text);
          setCopied(true);
          setTimeout(() => setCopied(false), 1_500);
        }}
      >
        <Icon name={copied ? 'check' : 'copy'} size={14} />
      </button>
    </span>
  );
}

/** The clipboard is there under https and on this machine only; elsewhere a selection does it. */
export function copyText(text: string): void {
  if (window.isSecureContext) {
    void navigator.clipboard.writeText(text).catch(() => {});
    return;
  }
  const field = document.createElement('textarea');
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}
