/** Small pictures, drawn as lines in the colour of the text around them. They never stand alone for a meaning. */
import type { ComponentChildren } from 'preact';

const PATHS = {
  overview: <path d="M2.5 8.5h3v5h-3zM6.5 2.5h3v11h-3zM10.5 5.5h3v8h-3z" />,
  pipelines: <path d="M2 4.5h7.5a3 3 0 0 1 0 6H6M8.5 8 6 10.5 8.5 13M2 4.5l0 0" />,
  nodes: <path d="M2.5 2.5h11v4.5h-11zM2.5 9h11v4.5h-11zM5 4.75h.01M5 11.25h.01" />,
  search: <path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.5 10.5l3 3" />,
  sun: (
    <path d="M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" />
  ),
  moon: <path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z" />,
  copy: <path d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3" />,
  check: <path d="m3 8.5 3.5 3.5L13 4.5" />,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  up: <path d="M8 13V3M4 7l4-4 4 4" />,
  down: <path d="M8 3v10M4 9l4 4 4-4" />,
  arrow: <path d="M2.5 8h11M9.5 4l4 4-4 4" />,
  pause: <path d="M5.5 3v10M10.5 3v10" />,
  play: <path d="M4.5 2.75 13 8l-8.5 5.25z" />,
  stop: <path d="M3.5 3.5h9v9h-9z" />,
  trash: <path d="M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.7 9h6.6l.7-9" />,
  logout: <path d="M9.5 13.5h-7v-11h7M6.5 8h7M11 5.5 13.5 8 11 10.5" />,
  menu: <path d="M2.5 4h11M2.5 8h11M2.5 12h11" />,
  warning: <path d="M8 2 14.5 13.5h-13zM8 6.5v3.5M8 11.9v.1" />,
  list: <path d="M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01" />,
  tree: <path d="M8 2.5v3M8 5.5H3.5v3M8 5.5h4.5v3M2 8.5h3v3H2zM11 8.5h3v3h-3z" />,
  key: <path d="M5 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM7.5 7.5 13.5 1.5M11 4l2 2" />,
  clock: <path d="M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 4.5V8l2.5 1.5" />,
  scale: <path d="M8 2.5v11M4 13.5h8M3 4.5h10M3 4.5l-1.8 5h3.6zM13 4.5l-1.8 5h3.6z" />,
  split: <path d="M2.5 8H6l5-5h2.5M6 8l5 5h2.5" />,
  file: <path d="M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3" />,
  info: <path d="M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 7.5V11M8 5v.1" />,
  people: (
    <path d="M6 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c.5-2.5 2.2-3.5 4.5-3.5s4 1 4.5 3.5M10.5 3.2a2.5 2.5 0 0 1 0 4.6M12 10.3c1.4.5 2.2 1.6 2.5 3.2" />
  ),
  bell: <path d="M4 11V7a4 4 0 0 1 8 0v4l1.5 1.5h-11zM6.5 14h3" />,
} as const satisfies Readonly<Record<string, ComponentChildren>>;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {PATHS[name]}
    </svg>
  );
}
