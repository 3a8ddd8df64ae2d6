/**
 * When the simulated model uses a tool, and what it says with what the tool gave: in a conversation only, when the last
 * message plainly asks for it and the agent has the tool. So the whole way of a tool call can be seen without a model:
 *
 * - `calculator`: "what is 17 * 23?", "compute (1200 - 950) / 950"
 * - `date_time`: "what day is it?", "what weekday is 2026-03-01?", "how many days until 2026-12-31?"
 * - `search_documents`: "search the documents for the lease"
 * - `http_fetch`: "fetch https://example.org/"
 * - `fabric_action` (waits as the rules say): "refund 250 EUR to cust_1042 for order 7781"
 * - `delegate` (waits for the other agent): "delegate to cfo: what does the plan cost?"
 * - `record_decision` (waits for an approval): "record the decision: we stay in Berlin"
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { Brief } from '../brief.ts';
import type { ToolAnswer, ToolCall, ToolExchange } from '../model.ts';
import { amount } from './figure.ts';
import { shortened } from './position.ts';

type ChatBrief = Extract<Brief, { kind: 'chat' }>;

interface Rule {
  /** The arguments to call the tool with when the message asks for it. */
  match(message: string): JsonObject | undefined;
  /** What is said with the result. */
  say(result: JsonObject): string;
}

const DATE = String.raw`\d{4}-\d{2}-\d{2}`;
const NUMBER = String.raw`\d[\d,]*(?:\.\d+)?`;
/** At least one sign between two numbers; a minus stands between blanks, so that dates and ranges are none. */
const ARITHMETIC = new RegExp(
  String.raw`(?:\(\s*)*-?${NUMBER}(?:\s*\))*(?:(?:\s*[+*/×÷^]\s*|\s+[-−x]\s+|\s*\*\*\s*)(?:\(\s*)*-?${NUMBER}(?:\s*\))*)+`,
  'i',
);

const rules: Readonly<Record<string, Rule>> = {
  fabric_action: {
    match(message) {
      const refund =
        /\brefund (?<amount>\d[\d,]*(?:\.\d+)?) ?(?<currency>[A-Z]{3})\b(?: to (?<to>[\w.:-]+))?(?: for order (?<order>[\w-]+))?/i.exec(
          message,
        );
      const { amount: sum, currency, to, order } = refund?.groups ?? {};
      if (sum === undefined || currency === undefined) return undefined;
      const data = { amount: Number(sum.replaceAll(',', '')), currency: currency.toUpperCase() };
      return {
        target_system: 'finance',
        action_type: 'execute',
        entity_type: 'refund',
        ...(to === undefined ? {} : { entity_id: to.replace(/[.,:]+$/, '') }),
        data: { ...data, ...(order === undefined ? {} : { order }) },
      };
    },
    say({ status, routed_plane_id: plane, fallback_from: passed }) {
      const others = Array.isArray(passed) ? passed.filter((other) => other !== plane) : [];
      const around = others.length > 0 ? `, past ${others.map(textOf).join(', ')}` : '';
      return `The refund is ${textOf(status)}: ${textOf(plane)} took it${around}.`;
    },
  },
  delegate: {
    match(message) {
      const work = /\bdelegate to (?<agent>[A-Za-z0-9._-]+)[:,]\s*(?<task>\S[\s\S]*)/i.exec(message);
      const { agent, task } = work?.groups ?? {};
      return agent === undefined || task === undefined ? undefined : { agent_id: agent, task: task.trim() };
    },
    say: ({ agent_id: agent, result }) => `${textOf(agent)} has done it: “${shortened(textOf(result))}”.`,
  },
  record_decision: {
    match(message) {
      const decision = /\brecord (?:the|this|our|a) decision\b[:,]?\s*(?:that\s+)?(?<text>\S[\s\S]*)/i.exec(message);
      const text = decision?.groups?.['text']?.trim();
      return text === undefined ? undefined : { decision: text };
    },
    say: ({ recorded }) => `The decision is recorded: “${shortened(textOf(recorded))}”.`,
  },
  http_fetch: {
    match(message) {
      const url = /\b(?:fetch|get|read|open|load|request|look at)\b.*?(?<url>https?:\/\/[^\s"'<>)]+)/i.exec(message);
      const address = url?.groups?.['url']?.replace(/[.,;:!?]+$/, '');
      return address === undefined ? undefined : { url: address };
    },
    say({ url, status, text, json }) {
      const content = json === undefined ? textOf(text) : JSON.stringify(json);
      return `${textOf(url)} answered with ${textOf(status)}${content === '' ? ' and no text.' : `: ${shortened(content)}`}`;
    },
  },
  search_documents: {
    match(message) {
      const asked =
        /\b(?:search|look (?:up|through|in)|check|find in)\b.*?\b(?:documents?|notes?|files|decisions)\b(?:\s+(?:for|about|on))?\s*(?<query>[\s\S]*)/i.exec(
          message,
        );
      const query = asked?.groups?.['query']?.replace(/[?.!]+$/, '').trim();
      return asked === null ? undefined : { query: query === undefined || query === '' ? message : query };
    },
    say({ passages }) {
      const [first] = Array.isArray(passages) ? passages.filter(isJsonObject) : [];
      if (first === undefined) return 'The documents of this session say nothing about it.';
      return `${textOf(first['title'])} says: “${shortened(textOf(first['passage']))}”.`;
    },
  },
  date_time: {
    match: dateQuestion,
    say: dateAnswer,
  },
  calculator: {
    match(message) {
      const asks = message.includes('?') || /\b(compute|calculate|work out|evaluate)\b/i.test(message);
      const found = ARITHMETIC.exec(message)?.[0];
      if (found === undefined || !balanced(found)) return undefined;
      if (!asks && found !== message.replace(/=\s*$/, '').trim()) return undefined;
      return { expression: found.replaceAll(/(\d),(?=\d{3}(?!\d))/g, '$1').replaceAll(/x/gi, '*') };
    },
    say: ({ expression, result }) => `${textOf(expression)} is ${amount(Number(result))}.`,
  },
};

/** The tools the last message asks for, of those the agent has; none in most conversations. */
export function simulatedCalls({ messages }: ChatBrief, offered: readonly string[]): readonly ToolCall[] {
  const message = messages.at(-1)?.content.trim() ?? '';
  for (const [name, rule] of Object.entries(rules)) {
    const args = offered.includes(name) ? rule.match(message.slice(0, 4000)) : undefined;
    if (args !== undefined) return [{ id: 'call_1', name, arguments: JSON.stringify(args) }];
  }
  return [];
}

/** What an approver who asks back is told; undefined for any other message. */
export function simulatedExplanation({ messages }: ChatBrief): string | undefined {
  const last = messages.at(-1)?.content ?? '';
  const tool = /you want to use the tool (?<tool>[\w-]+) with [\s\S]*has to approve that first and asks:/.exec(last);
  if (tool === null) return undefined;
  const wish = messages.slice(0, -1).findLast(({ role }) => role === 'user')?.content ?? '';
  const grounds = wish === '' ? '' : `I was asked: “${shortened(wish)}”. `;
  return `${grounds}That is all I know; I am the simulated model and asked for ${tool.groups?.['tool']} by a rule.`;
}

/** What is said after the tools, from what they gave. */
export function simulatedConclusion(exchanges: readonly ToolExchange[]): string {
  return exchanges.flatMap(({ calls }) => calls.map(({ name, answer }) => conclusion(name, answer))).join(' ');
}

function conclusion(name: string, answer: ToolAnswer): string {
  if ('error' in answer) return `I could not use ${name}: ${answer.error.message.replace(/\.$/, '')}.`;
  const { result } = answer;
  return (
    rules[name]?.say(isJsonObject(result) ? result : { text: result }) ?? `${name} gave ${JSON.stringify(result)}.`
  );
}

function dateQuestion(message: string): JsonObject | undefined {
  const [first, second] = message.match(new RegExp(DATE, 'g')) ?? [];
  if (/\bhow (many days|long)\b/i.test(message) && first !== undefined) {
    if (second !== undefined) return { operation: 'difference', date: first, until: second };
    return /\b(until|till|to|before)\b/i.test(message) ? { operation: 'difference', until: first } : undefined;
  }
  if (/\b(what|which) (week)?day\b/i.test(message) && first !== undefined) return { operation: 'weekday', date: first };
  const isNow =
    /\bwhat(?:'s| is) (?:the )?(?:date|time|day)(?: is it)?(?: (?:today|now|of the week))*\s*\?|\bwhat (?:day|date|time) is it\b|\bwhat (?:day|date) is today\b|\bwhat(?:'s| is) today's date\b/i;
  if (!isNow.test(message)) return undefined;
  const zone = /\bin (?<zone>[A-Z][A-Za-z_]+\/[A-Za-z_/]+)/.exec(message)?.groups?.['zone'];
  return { operation: 'now', ...(zone === undefined ? {} : { time_zone: zone }) };
}

function dateAnswer(result: JsonObject): string {
  if (result['days'] !== undefined) {
    return `From ${textOf(result['from'])} until ${textOf(result['until'])} it is ${textOf(result['days'])} days.`;
  }
  const time = textOf(result['iso']).includes('T') ? `, ${textOf(result['time'])} ${textOf(result['time_zone'])}` : '';
  return `${textOf(result['date'])} is a ${textOf(result['weekday'])}${time}.`;
}

function balanced(expression: string): boolean {
  let open = 0;
  for (const character of expression) {
    if (character === '(') open += 1;
    if (character === ')') open -= 1;
    if (open < 0) return false;
  }
  return open === 0;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
}
