/**
 * A Dockerfile as data: its stages and what each does, in order. Only the instructions our own file uses are known;
 * another one is an error here, not something that is silently left out.
 */
import { Copy, DockerfileParser, Env, From, Healthcheck, type Instruction, JSONInstruction } from 'dockerfile-ast';

/** One instruction: what it does, and its text. */
export type Step = Action & { readonly text: string };

type Action =
  | { readonly do: 'workdir'; readonly folder: string }
  | { readonly do: 'env'; readonly variables: Readonly<Record<string, string>> }
  | { readonly do: 'run'; readonly command: string }
  | { readonly do: 'copy'; readonly from: string | undefined; readonly sources: readonly string[]; readonly to: string }
  | { readonly do: 'user'; readonly user: string }
  | { readonly do: 'expose'; readonly port: number }
  | { readonly do: 'healthcheck'; readonly command: readonly string[] }
  | { readonly do: 'cmd'; readonly command: readonly string[] };

export interface Stage {
  /** The image it starts from, or the name of an earlier stage. */
  readonly base: string;
  readonly platform: string | undefined;
  readonly name: string | undefined;
  readonly steps: readonly Step[];
}

/** @throws Error naming the line, when the file uses something that is not known here */
export function parseDockerfile(text: string): Stage[] {
  const stages: { base: string; platform: string | undefined; name: string | undefined; steps: Step[] }[] = [];
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    if (instruction instanceof From) {
      const platform = instruction.getFlags().find((flag) => flag.getName() === 'platform');
      stages.push({
        base: instruction.getImage() ?? unknown(instruction),
        platform: platform?.getValue() ?? undefined,
        name: instruction.getBuildStage() ?? undefined,
        steps: [],
      });
    } else {
      const stage = stages.at(-1) ?? unknown(instruction);
      const { start, end } = instruction.getRange();
      const written = text
        .split('\n')
        .slice(start.line, end.line + 1)
        .join(' ');
      stage.steps.push({ ...actionOf(instruction), text: written.replaceAll(/\s*\\?\s+/g, ' ') });
    }
  }
  return stages;
}

function actionOf(instruction: Instruction): Action {
  const words = instruction.getExpandedArguments().map((argument) => argument.getValue());
  const [first = ''] = words;
  switch (instruction.getKeyword()) {
    case 'WORKDIR':
      return { do: 'workdir', folder: first };
    case 'USER':
      return { do: 'user', user: first };
    case 'EXPOSE':
      return { do: 'expose', port: Number(first) };
    case 'RUN':
      if (jsonForm(instruction) !== undefined) return unknown(instruction);
      return { do: 'run', command: instruction.getArgumentsContent() ?? unknown(instruction) };
    case 'CMD':
      return { do: 'cmd', command: jsonForm(instruction) ?? unknown(instruction) };
  }
  if (instruction instanceof Env) {
    const properties = instruction.getProperties();
    return {
      do: 'env',
      variables: Object.fromEntries(properties.map((property) => [property.getName(), property.getValue() ?? ''])),
    };
  }
  if (instruction instanceof Copy) {
    const flags = instruction.getFlags();
    const to = words.at(-1);
    if (to === undefined || flags.some((flag) => flag.getName() !== 'from')) return unknown(instruction);
    return { do: 'copy', from: instruction.getFromFlag()?.getValue() ?? undefined, sources: words.slice(0, -1), to };
  }
  if (instruction instanceof Healthcheck && instruction.getSubcommand()?.getValue() === 'CMD') {
    return { do: 'healthcheck', command: jsonForm(instruction) ?? unknown(instruction) };
  }
  return unknown(instruction);
}

/** The strings of the exec form, `["node", "main.js"]`; undefined for the shell form. */
function jsonForm(instruction: Instruction): string[] | undefined {
  const text = instruction.getArgumentsContent() ?? '';
  const start = text.indexOf('[');
  if (!(instruction instanceof JSONInstruction || instruction instanceof Healthcheck) || start < 0) return undefined;
  try {
    const parsed: unknown = JSON.parse(text.slice(start));
    return Array.isArray(parsed) ? parsed.map(String) : undefined;
  } catch {
    return undefined;
  }
}

function unknown(instruction: Instruction): never {
  const line = instruction.getRange().start.line + 1;
  throw new Error(
    `Dockerfile:${line}: "${instruction.toString()}" is not understood here: teach scripts/image/dockerfile.ts, or say it with what it knows`,
  );
}
