/** A logger whose level can be changed while the process runs: pino's own children keep the level they were made with. */
import type { Logger } from '../lib/logger.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export class LogGate {
  #level: LogLevel;

  constructor(level: LogLevel) {
    this.#level = level;
  }

  get level(): LogLevel {
    return this.#level;
  }

  set level(level: LogLevel) {
    this.#level = level;
  }

  lets(level: Exclude<LogLevel, 'silent'>): boolean {
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.#level);
  }

  /** `inner` writes everything; what goes to it is decided here. */
  logger(inner: Logger): Logger {
    const at =
      (level: Exclude<LogLevel, 'silent'>) =>
      (facts: object, message: string): void => {
        if (this.lets(level)) inner[level](facts, message);
      };
    return {
      trace: at('trace'),
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (facts) => this.logger(inner.child(facts)),
    };
  }
}

export function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}
