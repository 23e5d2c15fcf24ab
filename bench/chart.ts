/** Pictures for the page: plain SVG, readable on light and dark ground. Pure: the same figures give the same bytes. */

const FONT = 'font-family="system-ui, sans-serif" font-size="12"';
const INK = '#7a7f87';
const COLOURS = ['#3b82c4', '#d9822b', '#3f9c5f', '#b0509e', '#8a7d2f', '#c44747'] as const;

export interface BarChart {
  readonly title: string;
  readonly bars: readonly { readonly label: string; readonly value: number }[];
}

export function barChart({ title, bars }: BarChart): string {
  const labelWidth = Math.max(...bars.map(({ label }) => label.length), 10) * 6.4 + 12;
  const barWidth = 360;
  const height = 34 + bars.length * 22;
  const most = niceTop(Math.max(1, ...bars.map(({ value }) => value)));
  const scale = (value: number) => (value / most) * barWidth;
  const lines = bars.flatMap(({ label, value }, i) => {
    const y = 28 + i * 22;
    return [
      `<text x="${number(labelWidth - 8)}" y="${y + 13}" text-anchor="end" fill="${INK}" ${FONT}>${escaped(label)}</text>`,
      `<rect x="${number(labelWidth)}" y="${y + 2}" width="${number(scale(value))}" height="15" fill="${COLOURS[0]}"/>`,
      `<text x="${number(labelWidth + scale(value) + 6)}" y="${y + 13}" fill="${INK}" ${FONT}>${number(value)}</text>`,
    ];
  });
  const one = labelWidth + scale(1);
  return svg(title, labelWidth + barWidth + 60, height, [
    `<text x="${number(labelWidth)}" y="16" fill="${INK}" ${FONT} font-weight="bold">${escaped(title)}</text>`,
    ...lines,
    `<line x1="${number(one)}" x2="${number(one)}" y1="24" y2="${height - 4}" stroke="${INK}" stroke-dasharray="3 3"/>`,
  ]);
}

export interface LineChart {
  readonly title: string;
  readonly x: string;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
}

export function lineChart({ title, x, lines }: LineChart): string {
  const [left, top, width, height] = [64, 30, 560, 240];
  const points = lines.flatMap((line) => line.points);
  const lowX = Math.min(...points.map(([at]) => at), Number.POSITIVE_INFINITY);
  const fromX = Number.isFinite(lowX) ? Math.min(0, lowX) : 0;
  const toX = Math.max(fromX + 1, ...points.map(([at]) => at));
  const toY = niceTop(Math.max(1e-3, ...points.map(([, value]) => value)));
  const at = (px: number, py: number) =>
    `${number(left + ((px - fromX) / (toX - fromX)) * width)},${number(top + height - (py / toY) * height)}`;
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const py = number(top + height - share * height);
    return [
      `<line x1="${left}" x2="${left + width}" y1="${py}" y2="${py}" stroke="${INK}" stroke-opacity="0.3"/>`,
      `<text x="${left - 6}" y="${number(top + height - share * height + 4)}" text-anchor="end" fill="${INK}" ${FONT}>${number(share * toY)}</text>`,
      `<text x="${number(left + share * width)}" y="${top + height + 18}" text-anchor="middle" fill="${INK}" ${FONT}>${number(fromX + share * (toX - fromX))}</text>`,
    ];
  });
  const drawn = lines.flatMap((line, i) => {
    const colour = COLOURS[i % COLOURS.length];
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${line.points.map(([px, py]) => at(px, py)).join(' ')}"/>`,
      `<text x="${left + 8}" y="${top + height + 56 + i * 16}" fill="${colour}" ${FONT}>${escaped(line.name)}</text>`,
    ];
  });
  return svg(title, left + width + 24, top + height + 62 + lines.length * 16, [
    `<text x="${left}" y="16" fill="${INK}" ${FONT} font-weight="bold">${escaped(title)}</text>`,
    ...grid,
    `<text x="${left + width}" y="${top + height + 36}" text-anchor="end" fill="${INK}" ${FONT}>${escaped(x)}</text>`,
    ...drawn,
  ]);
}

function svg(title: string, width: number, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${number(width)}" height="${number(height)}" viewBox="0 0 ${number(width)} ${number(height)}">\n<title>${escaped(title)}</title>\n${parts.join('\n')}\n</svg>\n`;
}

/** 1, 2 or 5 times a power of ten that is not below the value. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((one) => one * power >= value) ?? 10;
  return step * power;
}

function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
