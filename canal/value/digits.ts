/**
 * Decimal digits written straight into a buffer. Every function takes the place to write at and returns the place after.
 * Callers have reserved room.
 */
const ZERO = 48;
const BILLION = 1_000_000_000;

/** 0 ≤ value < 2^32. */
export function putUint32(out: Uint8Array, at: number, value: number): number {
  let end: number;
  if (value < 10) {
    out[at] = ZERO + value;
    return at + 1;
  }
  if (value < 100_000) end = at + (value < 100 ? 2 : value < 1000 ? 3 : value < 10_000 ? 4 : 5);
  else
    end =
      at +
      (value < 1_000_000 ? 6 : value < 10_000_000 ? 7 : value < 100_000_000 ? 8 : value < BILLION ? 9 : 10);
  for (let p = end, rest = value; p > at; ) {
    const quotient = (rest / 10) >>> 0;
    p -= 1;
    out[p] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
  return end;
}

/** Exactly `width` digits of 0 ≤ value < 10^width, width ≤ 9. */
export function putPadded(out: Uint8Array, at: number, value: number, width: number): number {
  for (let p = at + width - 1, rest = value; p >= at; p--) {
    const quotient = (rest / 10) >>> 0;
    out[p] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
  return at + width;
}

/** 0 ≤ value ≤ 2^53. */
export function putUint53(out: Uint8Array, at: number, value: number): number {
  if (value < 0x1_0000_0000) return putUint32(out, at, value);
  const high = Math.floor(value / BILLION);
  return putPadded(out, putUint32(out, at, high), value - high * BILLION, 9);
}

/** The unsigned 64-bit integer of two 32-bit halves. */
export function putUint64(out: Uint8Array, at: number, high: number, low: number): number {
  if (high < 0x20_0000) return putUint53(out, at, high * 0x1_0000_0000 + low);
  // Long division by 10^9 in limbs of 16 bits: no intermediate value exceeds 2^46.
  let rest = high % BILLION;
  let quotient = (high / BILLION) >>> 0;
  let limb = rest * 0x1_0000 + (low >>> 16);
  const upper = Math.floor(limb / BILLION);
  rest = limb - upper * BILLION;
  limb = rest * 0x1_0000 + (low & 0xffff);
  const lower = Math.floor(limb / BILLION);
  rest = limb - lower * BILLION;
  // high < 2^32 gives quotient ≤ 4: the result stays below 2^35.
  quotient = quotient * 0x1_0000_0000 + upper * 0x1_0000 + lower;
  return putPadded(out, putUint53(out, at, quotient), rest, 9);
}

/** The signed 64-bit integer of two 32-bit halves (each taken as unsigned). */
export function putInt64(out: Uint8Array, at: number, high: number, low: number): number {
  if (high < 0x8000_0000) return putUint64(out, at, high, low);
  out[at] = 45;
  const negatedLow = (~low + 1) >>> 0;
  const negatedHigh = (~high + (low === 0 ? 1 : 0)) >>> 0;
  return putUint64(out, at + 1, negatedHigh, negatedLow);
}

/** -2^31 ≤ value < 2^31. */
export function putInt32(out: Uint8Array, at: number, value: number): number {
  if (value >= 0) return putUint32(out, at, value);
  out[at] = 45;
  return putUint32(out, at + 1, -value);
}
