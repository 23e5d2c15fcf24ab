/** A message by SMTP. */
import { createTransport } from 'nodemailer';
import { HoltError } from '../../../lib/errors.ts';
import type { AlarmChannel } from '../../../model/alarm.ts';
import type { Message } from './message.ts';

type MailChannel = Extract<AlarmChannel, { readonly kind: 'mail' }>;

const TIMEOUT_MS = 15_000;

/** @throws HoltError HOLT_ALARM_REFUSED (retry), without what the server said: that may repeat the account. */
export async function sendMail(channel: MailChannel, message: Message, cluster: string): Promise<void> {
  const { host, port, tls, user, password, from, to } = channel;
  const transport = createTransport({
    host,
    port,
    secure: tls === 'tls',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    ...(user === null || password === null ? {} : { auth: { user, pass: password.resolve() } }),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from,
      to: [...to],
      subject: message.title,
      text: `${[...message.lines, ...paragraph(message.remedies), ...paragraph(message.link === null ? [] : [message.link])].join('\n')}\n`,
      messageId: messageId(message.id, cluster),
      // Mail of one root cause is one conversation.
      references: [messageId(message.group, cluster)],
      headers: { 'Auto-Submitted': 'auto-generated', 'X-Holt-Event': message.id },
    });
  } catch (error) {
    const { code, responseCode } = (error ?? {}) as {
      readonly code?: unknown;
      readonly responseCode?: unknown;
    };
    throw new HoltError(
      'HOLT_ALARM_REFUSED',
      `the mail server did not take it: ${String(responseCode ?? code ?? 'no answer')}`,
      { disposition: 'retry', cause: error },
    );
  } finally {
    transport.close();
  }
}

function paragraph(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', ...lines];
}

function messageId(of: string, cluster: string): string {
  return `<${of.replace(/[^A-Za-z0-9.-]/g, '-')}@${cluster}.holt>`;
}
