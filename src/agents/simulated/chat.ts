/**
 * The simulated model in a conversation: it remembers what it was told in the session, computes with the figures in
 * it, says what it is, and says so when a question is beyond rules.
 */
import { titleOf } from '../agent.ts';
import type { Brief, ChatMessage } from '../brief.ts';
import { positionIn } from './calendar.ts';
import { amount, readTaskData } from './figure.ts';
import { insightsOf } from './insight.ts';
import { measureName, perspectiveOf } from './perspective.ts';
import { shortened } from './position.ts';

type ChatBrief = Extract<Brief, { kind: 'chat' }>;

/** Something the user said about themselves: `your name` is `Ada`. */
interface Told {
  readonly about: string;
  readonly value: string;
}

const RECALL =
  /\b(what|which|do you)\b.*\b(did i (tell|say)|have i (told|said)|i told you|i said|remember|know about me|we talk(ed)? about)\b|\bremind me\b/i;
const WHO_ARE_YOU =
  /\b(who|what) are you\b|\b(which|what) model\b|\bare you (a|an|the) (real|human|ai|model|bot|language model)\b/i;
const ASKS_FOR_NAME = /\b(what('s| is)|do you (know|remember)|say|tell me) my name\b|\bwho am i\b/i;
const ASKS_FOR_OWN = /\bwhat(?:'s| is| are| was| were) (?:my|our) (?<about>[\p{L} ]{2,40}?)\s*\?/iu;
const GREETING = /^(hi|hello|hey|good (morning|afternoon|evening))\b[^?\d]{0,20}$/i;
const MEMO = /\b(remember|note|keep in mind|for your information|fyi)\b/i;
/** Asks for a fact, not for advice. */
const FACT_QUESTION =
  /^(so,?\s+)?(what|which|who|when|where|how (much|many|long|old))\b(?!.*\b(should|would|could|think|recommend|propose|suggest)\b)/i;
const NAME =
  /\b(?:[Mm]y name is|[Ii] am called|[Ii]'m called|[Cc]all me)\s+(?<name>\p{L}[\p{L}'-]*(?:\s+\p{Lu}[\p{L}'-]*)?)/u;
const PROPER_NAME = /\b(?:I am|I'm|[Tt]his is)\s+(?<name>\p{Lu}[\p{L}'-]*(?:\s+\p{Lu}[\p{L}'-]*)?)(?=[\s,.!]|$)/u;
const OWN =
  /\b(?:my|our)\s+(?<about>[\p{L}][\p{L} _-]{1,40}?)\s+(?:is|are|was|were|=)\s+(?<value>(?:[^.!?\n]|\.(?=\d))+?)(?=\s+and\s+(?:my|our)\s|[.!?](?:\s|$)|\n|,\s+(?:my|our)\s|$)/giu;
const SUM = /(?<![\w.-])(?<left>-?\d[\d,]*(?:\.\d+)?)\s*(?<sign>[+*/x×÷−-])\s*(?<right>-?\d[\d,]*(?:\.\d+)?)(?![\w-])/i;

/** Rules read the beginning of a message; nobody states facts on page three. */
const MESSAGE_LENGTH = 4000;

export function simulatedReply(asked: ChatBrief): string {
  const brief = { ...asked, messages: asked.messages.map(clipped) };
  const message = brief.messages.at(-1)?.content.trim() ?? '';
  const before = brief.messages.slice(0, -1);
  const told = toldIn(before);
  const isQuestion = message.includes('?') || RECALL.test(message);

  if (WHO_ARE_YOU.test(message)) return introduction(brief);
  if (ASKS_FOR_NAME.test(message)) return nameAnswer(told);
  if (RECALL.test(message)) return recollection(message, before);
  const own = ASKS_FOR_OWN.exec(message)?.groups?.['about'];
  if (own !== undefined) return ownAnswer(own, told);
  const sum = isQuestion || /^[\d\s.,+*/x×÷−-]+=?$/.test(message) ? sumIn(message) : undefined;
  if (sum !== undefined) return sum;
  const news = toldIn([{ role: 'user', content: message }]);
  if (!isQuestion && news.length > 0) return acknowledgement(news, told, message, brief);
  if (!isQuestion && MEMO.test(message)) return `Noted: “${shortened(message)}”.`;
  if (GREETING.test(message)) return greeting(brief, told);
  return (FACT_QUESTION.test(message) ? related(message, before) : undefined) ?? opinion(brief, message, told);
}

function clipped({ role, content }: ChatMessage): ChatMessage {
  return { role, content: content.slice(0, MESSAGE_LENGTH) };
}

function introduction({ agent, messages }: ChatBrief): string {
  const name = lastValue(toldIn(messages), 'name');
  return `I speak for the ${titleOf(agent)}${name === undefined ? '' : `, ${name}`}, and I am the simulated model: no language model is configured here. I remember this conversation, compute with the figures you give me, and answer by rules. Configure a model (OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT …) for real answers.`;
}

function greeting({ agent }: ChatBrief, told: readonly Told[]): string {
  const name = lastValue(told, 'name');
  return `Hello${name === undefined ? '' : `, ${name}`}. I answer for the ${titleOf(agent)} (simulated model). Tell me the matter and its figures.`;
}

function nameAnswer(told: readonly Told[]): string {
  const name = lastValue(told, 'name');
  return name === undefined ? 'You have not told me your name in this conversation.' : `Your name is ${name}.`;
}

function ownAnswer(asked: string, told: readonly Told[]): string {
  const about = asked.trim().toLowerCase();
  const value = lastValue(told, about);
  if (value !== undefined) return `You told me that your ${about} ${isOrAre(about)} ${value}.`;
  const known = told.map((one) => one.about);
  return `You have not told me your ${about} in this conversation.${known.length === 0 ? '' : ` I know your ${listed([...new Set(known)])}.`}`;
}

/** Repeats what the user said, the part about a named topic when the question names one. */
function recollection(message: string, before: readonly ChatMessage[]): string {
  const said = before
    .filter(({ role, content }) => role === 'user' && !content.trim().endsWith('?') && !GREETING.test(content.trim()))
    .map(({ content }) => content);
  const topic = /\babout\s+(?:my|our|the)?\s*(?<topic>[\p{L}][\p{L} -]*)/iu
    .exec(message)
    ?.groups?.['topic']?.trim()
    .toLowerCase();
  const onTopic =
    topic === undefined || topic === 'me' ? said : said.filter((text) => text.toLowerCase().includes(topic));
  if (said.length === 0) return 'You have not told me anything in this conversation yet.';
  if (onTopic.length === 0) return `You have told me nothing about ${topic} in this conversation.`;
  if (onTopic.length === 1) return `You told me: “${shortened(onTopic[0] ?? '')}”.`;
  return `You told me, in this order:\n${onTopic.map((text, index) => `${index + 1}. “${shortened(text)}”`).join('\n')}`;
}

/** What the user said that shares most words with a question; undefined when nothing does. */
function related(question: string, before: readonly ChatMessage[]): string | undefined {
  const asked = contentWords(question);
  const scored = userText(before)
    .filter((text) => !text.trim().endsWith('?'))
    .map((text) => ({ text, score: contentWords(text).filter((word) => asked.includes(word)).length }));
  const best = Math.max(0, ...scored.map(({ score }) => score));
  const found = scored.findLast(({ score }) => score === best);
  return best === 0 || found === undefined ? undefined : `You told me: “${shortened(found.text)}”.`;
}

function contentWords(text: string): string[] {
  return (text.toLowerCase().match(/\p{L}{4,}/gu) ?? []).filter(
    (word) => !/^(what|which|when|where|that|this|with|from|have|your|about|does|will)$/.test(word),
  );
}

function acknowledgement(news: readonly Told[], told: readonly Told[], message: string, brief: ChatBrief): string {
  const name = lastValue([...told, ...news], 'name');
  const facts = news.map(({ about, value }) => {
    const earlier = lastValue(told, about);
    const changed = earlier !== undefined && earlier !== value ? ` (it was ${earlier})` : '';
    return `your ${about} ${isOrAre(about)} ${value}${changed}`;
  });
  const computed = computedFrom(brief, message);
  return `${name === undefined ? 'Noted' : `Noted, ${name}`}: ${listed(facts)}.${computed === undefined ? '' : ` ${computed}`}`;
}

function opinion(brief: ChatBrief, message: string, told: readonly Told[]): string {
  const perspective = perspectiveOf(brief.agent);
  const name = lastValue(told, 'name');
  const all = userText(brief.messages);
  const data = readTaskData(all);
  const insights = insightsOf(data);
  const [first] = perspective.propose({ data, insights, today: brief.today });
  const time = data.period === undefined ? '' : ` ${positionIn(data.period, brief.today)}.`;
  const grounds =
    computedFrom(brief, all.join('\n')) ??
    `There are no figures in this conversation to compute with; give me for example ${perspective.needs.map((need) => measureName[need]).join(', ')}.`;
  return `${name === undefined ? '' : `${name}, `}as ${titleOf(brief.agent)} I take “${shortened(message)}” this way. ${grounds}${time} I would: ${lowerFirst(first)}. (Simulated: composed by rules from what was said here.)`;
}

/** What follows from the figures of a text, in one or two sentences. */
function computedFrom(brief: ChatBrief, text: string): string | undefined {
  const insights = insightsOf(readTaskData(...userText(brief.messages)));
  const mentioned = readTaskData(text).figures.map((figure) => figure.name);
  const relevant = insights.filter((insight) => mentioned.some((name) => insight.text.includes(name))).slice(0, 2);
  return relevant.length === 0
    ? undefined
    : `From your figures: ${relevant.map((insight) => insight.text).join('; ')}.`;
}

function sumIn(message: string): string | undefined {
  const groups = SUM.exec(message)?.groups;
  const left = Number(groups?.['left']?.replaceAll(',', ''));
  const right = Number(groups?.['right']?.replaceAll(',', ''));
  if (groups === undefined || Number.isNaN(left) || Number.isNaN(right)) return undefined;
  const sign = groups['sign'] ?? '+';
  if ('/÷'.includes(sign) && right === 0) return 'Division by zero has no result.';
  const result =
    sign === '+'
      ? left + right
      : '-−'.includes(sign)
        ? left - right
        : '/÷'.includes(sign)
          ? left / right
          : left * right;
  return `${groups['left']} ${sign} ${groups['right']} is ${amount(Number(result.toPrecision(12)))}.`;
}

function userText(messages: readonly ChatMessage[]): string[] {
  return messages.filter(({ role }) => role === 'user').map(({ content }) => content);
}

/** In the order told; a later value replaces an earlier one where it is looked up. */
function toldIn(messages: readonly ChatMessage[]): Told[] {
  return userText(messages).flatMap((text) => {
    const name = (NAME.exec(text) ?? PROPER_NAME.exec(text))?.groups?.['name'];
    const own = [...text.matchAll(OWN)].map(({ groups }) => ({
      about: (groups?.['about'] ?? '').toLowerCase(),
      value: (groups?.['value'] ?? '').trim(),
    }));
    return [
      ...(name === undefined ? [] : [{ about: 'name', value: name }]),
      ...own.filter(({ about }) => about !== 'name'),
    ];
  });
}

function lastValue(told: readonly Told[], about: string): string | undefined {
  return told.findLast((one) => one.about === about)?.value;
}

function isOrAre(noun: string): string {
  return /[^s]s$/.test(noun) ? 'are' : 'is';
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
