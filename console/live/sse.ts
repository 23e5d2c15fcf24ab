/** Server-sent events out of a byte stream: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */

export interface StreamEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** Feed it pieces of text as they come; gives the events that are whole by then. A comment is an event named `comment`. */
export class EventParser {
  #rest = '';
  #id: string | null = null;
  #event = '';
  #data: string[] = [];

  feed(text: string): readonly StreamEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    const found: StreamEvent[] = [];
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0)
          found.push({ id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') });
        this.#id = null;
        this.#event = '';
        this.#data = [];
        continue;
      }
      if (line.startsWith(':')) {
        found.push({ id: null, event: 'comment', data: line.slice(1).trim() });
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'id') this.#id = value;
      else if (field === 'event') this.#event = value;
      else if (field === 'data') this.#data.push(value);
    }
    return found;
  }
}
