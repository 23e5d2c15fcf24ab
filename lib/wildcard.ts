/** A matcher for a pattern with `*` (any run) and `?` (any one character); everything else stands for itself. */
export function wildcard(pattern: string): (text: string) => boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[\\s\\S]*')
    .replaceAll('?', '[\\s\\S]');
  const form = new RegExp(`^${source}$`, 'u');
  return (text) => form.test(text);
}
