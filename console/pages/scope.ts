/** Which pipelines an account or token is for, as people write it: patterns with commas or spaces between; nothing for all. */

export function scopeText(pipelines: readonly string[] | null): string {
  return pipelines === null ? '' : pipelines.join(', ');
}

export function scopeOf(text: string): readonly string[] | null {
  const patterns = text.split(/[\s,]+/).filter((one) => one !== '');
  return patterns.length === 0 ? null : patterns;
}
