/** A message as each kind of chat takes it, and as a webhook gets it. Pure; texts are escaped for where they go. */
import type { ChannelKind } from '../../../model/alarm.ts';
import type { Notice } from '../alarms.ts';
import type { Message } from './message.ts';

const COLOURS = { info: 0x3b82f6, warning: 0xd97706, critical: 0xdc2626 } as const;
const OVER = 0x16a34a;

function colourOf({ kind, severity }: Message): number {
  return kind === 'resolved' ? OVER : COLOURS[severity];
}

function hex(colour: number): string {
  return `#${colour.toString(16).padStart(6, '0')}`;
}

/** What goes to the channel; `notice` is null for a test. */
export function postBody(
  kind: Exclude<ChannelKind, 'mail'>,
  message: Message,
  notice: Notice | null,
): unknown {
  switch (kind) {
    case 'webhook':
      return webhookBody(message, notice);
    case 'slack':
      return slackBody(message);
    case 'mattermost':
      return mattermostBody(message);
    case 'teams':
      return teamsBody(message);
    case 'discord':
      return discordBody(message);
    default:
      return kind satisfies never;
  }
}

/** Version 1: what it has now stays as it is. */
function webhookBody(message: Message, notice: Notice | null): unknown {
  const { id, kind, severity, group, title, lines, remedies, link } = message;
  return {
    version: 1,
    id,
    kind,
    severity,
    group,
    title,
    lines,
    remedies,
    link,
    atMs: notice?.atMs ?? null,
    count: notice?.count ?? 0,
    alarms: notice?.alarms ?? [],
  };
}

/** https://api.slack.com/reference/surfaces/formatting: &, < and > are control characters. */
function slackBody(message: Message): unknown {
  const text = bodyText(message).map(slackText).join('\n');
  return {
    text: slackText(message.title),
    attachments: [
      { color: hex(colourOf(message)), text: `*${slackText(message.title)}*\n${text}`, mrkdwn_in: ['text'] },
    ],
  };
}

function slackText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Slack's shape, Markdown in it. */
function mattermostBody(message: Message): unknown {
  return {
    attachments: [
      {
        color: hex(colourOf(message)),
        fallback: message.title,
        title: message.title,
        text: bodyText(message).map(markdownText).join('\n'),
      },
    ],
  };
}

/** Microsoft Teams, workflow "post to a channel when a webhook request is received": an adaptive card. */
function teamsBody(message: Message): unknown {
  const block = (text: string, more: object = {}) => ({
    type: 'TextBlock',
    text: markdownText(text),
    wrap: true,
    ...more,
  });
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            block(message.title, {
              weight: 'Bolder',
              size: 'Medium',
              color: message.kind === 'resolved' ? 'Good' : TEAMS_COLOURS[message.severity],
            }),
            ...[...message.lines, ...message.remedies].map((line) => block(line)),
          ],
          ...(message.link === null
            ? {}
            : { actions: [{ type: 'Action.OpenUrl', title: 'Open Holt', url: message.link }] }),
        },
      },
    ],
  };
}

const TEAMS_COLOURS = { info: 'Accent', warning: 'Warning', critical: 'Attention' } as const;

/** Discord refuses what is longer. */
const DISCORD_TITLE = 256;
const DISCORD_TEXT = 4_000;

function discordBody(message: Message): unknown {
  return {
    embeds: [
      {
        title: message.title.slice(0, DISCORD_TITLE),
        description: bodyText(message).map(markdownText).join('\n').slice(0, DISCORD_TEXT),
        color: colourOf(message),
        ...(message.link === null ? {} : { url: message.link }),
      },
    ],
    // A name such as @everyone calls nobody.
    allowed_mentions: { parse: [] },
  };
}

function markdownText(text: string): string {
  return text.replace(/[\\`*_{}[\]<>#|~]/g, '\\$&');
}

function bodyText({ lines, remedies, link }: Message): readonly string[] {
  return [...lines, ...remedies, ...(link === null ? [] : [link])];
}
