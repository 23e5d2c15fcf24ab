/** Text in its own lines, to be read and taken elsewhere: a statement, a configuration. */
import { useEffect, useState } from 'preact/hooks';
import { copyText } from './copyable.tsx';
import { Icon } from './icon.tsx';

const COPIED_MS = 1_500;

export function TextBlock({ text, what }: { readonly text: string; readonly what: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <div class="text-block">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must with the keyboard, too. */}
      <section tabIndex={0} aria-label={what}>
        <pre>{text}</pre>
      </section>
      <button
        type="button"
        class="icon-button"
        aria-label={copied ? 'Copied' : `Copy ${what}`}
        title={`Copy ${what}`}
        onClick={() => {
          copyText(text);
          setCopied(true);
        }}
      >
        <Icon name={copied ? 'check' : 'copy'} size={14} />
      </button>
    </div>
  );
}

/** Two spaces a level. */
export function prettyJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
