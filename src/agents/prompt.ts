/** A brief in words, as a language model takes it. */
import type { JsonObject, JsonValue } from '../core/json.ts';
import { type Agent, instructionsOf, titleOf } from './agent.ts';
import type { Assignment, Brief, Prompt, Purpose } from './brief.ts';
import { quoted, teamRequest } from './teamwork.ts';

export function promptOf(brief: Brief): Prompt {
  if (brief.kind === 'chat') {
    return {
      instructions: `${instructionsOf(brief.agent)}\n\nYou are in a conversation. Today is ${brief.today}. Answer the last message, briefly, using what was said before.`,
      messages: brief.messages,
    };
  }
  const { agent, assignment } = brief;
  return {
    instructions: [instructionsOf(agent), purposeText(assignment.purpose)].filter((part) => part !== '').join('\n\n'),
    messages: [{ role: 'user', content: [...assignmentText(assignment), ...requestOf(brief)].join('\n\n') }],
  };
}

function purposeText(purpose: Purpose | undefined): string {
  if (purpose === undefined) return '';
  return `The purpose everybody's work here must serve: ${purpose.purpose}\nIts scope: ${purpose.scope}`;
}

function assignmentText({ task, context, today }: Assignment): string[] {
  return [
    `Today is ${today}.`,
    ...(isEmpty(task) ? [] : [`The task:\n${block(task)}`]),
    ...(isEmpty(context) ? [] : [`Shared context:\n${block(context)}`]),
  ];
}

function requestOf(brief: Exclude<Brief, { kind: 'chat' }>): string[] {
  switch (brief.kind) {
    case 'position':
      return [
        `${groupText(brief.agent, brief.group)}Give your own position as ${titleOf(brief.agent)}: what you see, what you propose, what it needs, what could go wrong.`,
      ];
    case 'handover':
      return [
        ...quoted('What was produced before you, in order', brief.earlier),
        brief.last
          ? 'You are the last in line: deliver the finished result, complete in itself.'
          : `Do your part as ${titleOf(brief.agent)} and hand over: build on what is there, correct it where it is wrong, add what only you can add.`,
      ];
    case 'revision':
      return [
        ...(brief.own === undefined ? [] : [`Your position so far:\n\n${brief.own}`]),
        ...quoted("Your peers' latest positions", brief.peers),
        `This is round ${brief.round}. Give your revised position: what you take over and from whom, where you disagree and why, what you propose now.`,
      ];
    case 'synthesis':
      return [
        ...quoted('The positions', brief.contributions),
        'Make one result of them: where they agree, where they do not, what is decided, who does what by when, which questions stay open, and what information is missing.',
      ];
    default:
      return teamRequest(brief);
  }
}

function groupText(agent: Agent, group: readonly Agent[]): string {
  const others = group.filter((other) => other.agent_id !== agent.agent_id).map(titleOf);
  return others.length === 0 ? '' : `Also asked, at the same time: ${others.join(', ')}. `;
}

function block(value: JsonValue): string {
  return `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
}

function isEmpty(object: JsonObject): boolean {
  return Object.keys(object).length === 0;
}
