/** Time as an argument, so that tests are exact. */
export interface Clock {
  /** Wall clock, milliseconds since 1970 UTC, with fraction. */
  nowMs(): number;
  /** Never goes back; milliseconds from an arbitrary start, with fraction. */
  monotonicMs(): number;
  /** Settles after `ms`, or rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What `performance.timeOrigin` was at the start, and is again after each time somebody set the clock. */
let originMs = performance.timeOrigin;
/** `Date.now()` has no fraction: nearer than this the two agree. */
const CLOCK_WAS_SET_MS = 5;

export const systemClock: Clock = {
  // Fractions come from the monotonic clock; but that one knows nothing of a clock that was set (NTP after a start with a
  // wrong one, a machine that slept), and a process that went on by it would be apart from all others for good.
  nowMs() {
    const wallMs = Date.now();
    const ms = originMs + performance.now();
    if (Math.abs(ms - wallMs) <= CLOCK_WAS_SET_MS) return ms;
    originMs += wallMs - ms;
    return wallMs;
  },
  monotonicMs: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
};
