/** Room above the greatest; a scale that ends in noughts. */
export function niceTop(max: number | null): number {
  if (max === null || !(max > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(max));
  for (const step of [1, 1.5, 2, 3, 4, 5, 7.5, 10]) if (step * size >= max * 1.05) return step * size;
  return 10 * size * 1.5;
}
