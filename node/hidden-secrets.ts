/** For JSON.stringify: where a secret comes from, in place of the secret. */
export function hideSecrets(_key: string, value: unknown): unknown {
  if (typeof value === 'object' && value !== null && 'resolve' in value && 'from' in value && 'kind' in value)
    return value.kind === 'literal' ? '(none)' : `\${${String(value.kind)}:${String(value.from)}}`;
  return value;
}
