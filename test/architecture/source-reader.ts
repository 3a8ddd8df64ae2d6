/**
 * Reads TypeScript sources into the few facts the house rules need: what a file imports, which globals it touches,
 * what it exports. It asks the compiler itself (TypeScript 7 ships its parser and checker as `typescript/unstable/*`;
 * the exact pin of the compiler keeps "unstable" harmless), so comments, strings and shadowed names cannot fool it.
 */
import { relative } from 'node:path';
import * as ast from 'typescript/unstable/ast';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';

export interface ImportFact {
  /** The specifier as written; for a template its literal beginning, and '' when nothing of it can be read. */
  readonly specifier: string;
  /** Whether the whole specifier is a literal. */
  readonly literal: boolean;
  readonly how: 'import' | 're-export' | 'dynamic' | 'type';
  /** Imported names, aliases undone; `*` for the whole module, `default` for its default export. */
  readonly names: readonly string[];
  readonly line: number;
}

export interface GlobalFact {
  /** As a dotted path from the global object, e.g. `process.env.HOME`, `Date.now`, and `new Date()` without arguments. */
  readonly path: string;
  readonly line: number;
}

export interface SourceFacts {
  /** Path from the repository root, with `/`. */
  readonly file: string;
  readonly imports: readonly ImportFact[];
  readonly globals: readonly GlobalFact[];
  /** Exported names declared in this file; `default` for a default export. */
  readonly exports: readonly { readonly name: string; readonly line: number }[];
  readonly anys: readonly number[];
  /** Comments that silence the compiler or the linter, as written. */
  readonly silencers: readonly { readonly text: string; readonly line: number }[];
}

/** Reads every file of a project (`tsconfig` names it, relative to `root`). */
export function readProject(root: string, tsconfig: string, files?: Record<string, string>): SourceFacts[] {
  // The compiler runs as a child and ends with this process; ended by `close`, it complains on stderr.
  const api = new API(files === undefined ? { cwd: root } : { cwd: root, fs: createVirtualFileSystem(files) });
  const project = api.updateSnapshot({ openProjects: [`${root}/${tsconfig}`] }).getProjects()[0];
  if (project === undefined) throw new Error(`no project at ${root}/${tsconfig}`);
  return project.rootFiles.map((name) => {
    const source = project.program.getSourceFile(name);
    if (source === undefined) throw new Error(`the compiler knows ${name} but cannot show it`);
    const scope: Scope = {
      // A name is global when it is declared outside the project's own sources, or nowhere the compiler can see.
      isGlobal: (node) => {
        const symbol = ast.isShorthandPropertyAssignment(node.parent)
          ? project.checker.getShorthandAssignmentValueSymbol(node.parent)
          : project.checker.getSymbolAtLocation(node);
        return !symbol?.declarations.some(({ path }) => isOwnSource(path, root));
      },
      declarationOf: (node) => project.checker.getSymbolAtLocation(node)?.valueDeclaration?.resolve(),
    };
    return readSource(source, relative(root, name), scope);
  });
}

/** What the checker knows about names. */
interface Scope {
  isGlobal(node: ast.Identifier): boolean;
  declarationOf(node: ast.Node): ast.Node | undefined;
}

function isOwnSource(path: string, root: string): boolean {
  // The compiler folds the case of paths where the file system does.
  return path.toLowerCase().startsWith(`${root.toLowerCase()}/`) && !path.includes('/node_modules/');
}

function readSource(source: ast.SourceFile, file: string, scope: Scope): SourceFacts {
  const imports: ImportFact[] = [];
  const exports: { name: string; line: number }[] = [];
  const anys: number[] = [];
  const roots: ast.Identifier[] = [];
  const lineOf = (node: ast.Node) => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;

  const visit = (node: ast.Node): void => {
    const line = lineOf(node);
    const found = importOf(node, scope);
    if (found !== undefined) imports.push({ ...found, line });
    if (node.kind === ast.SyntaxKind.AnyKeyword) anys.push(line);
    if (ast.isIdentifier(node) && watchedGlobals.has(node.text) && isReference(node)) roots.push(node);
    for (const name of exportedNames(node)) exports.push({ name, line });
    node.forEachChild(visit);
  };
  visit(source);

  const globals = roots
    .filter((node) => scope.isGlobal(node))
    .flatMap((node) => pathsFrom(node).map((path) => ({ path, line: lineOf(node) })));
  return { file, imports, globals, exports, anys, silencers: silencersIn(source.text) };
}

/** Globals worth a question to the checker; asking about every identifier would cost seconds. */
const watchedGlobals = new Set(
  (
    'process console Date performance Math crypto AbortSignal globalThis global require ' +
    'setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate'
  ).split(' '),
);

function importOf(node: ast.Node, scope: Scope): Omit<ImportFact, 'line'> | undefined {
  if (ast.isImportDeclaration(node)) {
    const names = importedNames(node.importClause);
    return { ...specifierOf(node.moduleSpecifier), how: isTypeOnly(node.importClause) ? 'type' : 'import', names };
  }
  if (ast.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    const clause = node.exportClause;
    const names =
      clause !== undefined && ast.isNamedExports(clause)
        ? clause.elements.map((element) => (element.propertyName ?? element.name).text)
        : ['*'];
    return { ...specifierOf(node.moduleSpecifier), how: 're-export', names };
  }
  if (ast.isImportTypeNode(node)) {
    const argument = ast.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument;
    return { ...specifierOf(argument), how: 'type', names: ['*'] };
  }
  if (ast.isImportEqualsDeclaration(node) && ast.isExternalModuleReference(node.moduleReference)) {
    return { ...specifierOf(node.moduleReference.expression), how: 'import', names: ['*'] };
  }
  if (ast.isCallExpression(node) && isModuleCall(node.expression)) {
    const argument = node.arguments[0];
    const specifier = argument === undefined ? { specifier: '', literal: false } : specifierOf(argument, scope);
    // To resolve a name that cannot be read loads nothing, and says nothing.
    if (specifier.specifier === '' && node.expression.getText().endsWith('.resolve')) return undefined;
    return { ...specifier, how: 'dynamic', names: ['*'] };
  }
  return undefined;
}

/** `import(…)`, `require(…)`, `createRequire(…)(…)`, and `resolve` of each. */
function isModuleCall(callee: ast.Expression): boolean {
  if (callee.kind === ast.SyntaxKind.ImportKeyword) return true;
  return /^(?:require|createRequire\([^()]*\)|import\.meta(?=\.resolve))(?:\.resolve)?$/.test(callee.getText());
}

function specifierOf(node: ast.Node, scope?: Scope): { specifier: string; literal: boolean } {
  if (scope !== undefined && ast.isIdentifier(node)) {
    const declaration = scope.declarationOf(node);
    const constant = declaration !== undefined && ast.isVariableDeclaration(declaration) ? declaration : undefined;
    return constant?.initializer === undefined ? { specifier: '', literal: false } : specifierOf(constant.initializer);
  }
  if (ast.isStringLiteral(node) || ast.isNoSubstitutionTemplateLiteral(node)) {
    return { specifier: node.text, literal: true };
  }
  return { specifier: ast.isTemplateExpression(node) ? node.head.text : '', literal: false };
}

function importedNames(clause: ast.ImportClause | undefined): string[] {
  const names: string[] = clause?.name === undefined ? [] : ['default'];
  const bindings = clause?.namedBindings;
  if (bindings === undefined) return names;
  if (!ast.isNamedImports(bindings)) return [...names, '*'];
  const valueNames = bindings.elements.filter((element) => !element.isTypeOnly);
  // `import { type A, B }` counts as importing B; with types only, all of them are named.
  const counted = valueNames.length === 0 ? bindings.elements : valueNames;
  return [...names, ...counted.map((element) => (element.propertyName ?? element.name).text)];
}

function isTypeOnly(clause: ast.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ast.SyntaxKind.TypeKeyword) return true;
  const bindings = clause.namedBindings;
  if (clause.name !== undefined || bindings === undefined || !ast.isNamedImports(bindings)) return false;
  return bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly);
}

/** Whether an identifier reads a variable, rather than being the name of a member, a declaration or an import. */
function isReference(node: ast.Identifier): boolean {
  const parent = node.parent;
  if (ast.isPropertyAccessExpression(parent)) return parent.name !== node;
  if (ast.isQualifiedName(parent)) return parent.left === node;
  if (ast.isPropertyAssignment(parent)) return parent.name !== node;
  if (ast.isBindingElement(parent)) return parent.propertyName !== node;
  if (ast.isTypeReferenceNode(parent)) return false;
  return true;
}

/** The dotted paths an access to a global reaches: one, or one per name of a destructuring. */
function pathsFrom(root: ast.Identifier): string[] {
  let node: ast.Node = root;
  let path = root.text;
  for (;;) {
    const parent: ast.Node = node.parent;
    if (ast.isPropertyAccessExpression(parent) && parent.expression === node) {
      path = `${path}.${parent.name.text}`;
    } else if (
      ast.isElementAccessExpression(parent) &&
      parent.expression === node &&
      ast.isStringLiteral(parent.argumentExpression)
    ) {
      path = `${path}.${parent.argumentExpression.text}`;
    } else if (ast.isQualifiedName(parent) && parent.left === node) {
      path = `${path}.${parent.right.text}`;
    } else {
      break;
    }
    node = parent;
  }
  path = path.replace(/^(?:(?:globalThis|global)\.)+/, '');
  const use = node.parent;
  if (ast.isNewExpression(use) && use.expression === node && (use.arguments?.length ?? 0) === 0)
    return [`new ${path}()`];
  if (ast.isVariableDeclaration(use) && use.initializer === node && ast.isObjectBindingPattern(use.name)) {
    const members = use.name.elements.map((element) => (element.propertyName ?? element.name)?.getText() ?? '');
    return members.map((member) => `${path}.${member}`.replace(/^(?:globalThis|global)\./, ''));
  }
  return [path];
}

function exportedNames(node: ast.Node): string[] {
  if (ast.isExportAssignment(node)) return ['default'];
  if (ast.isExportDeclaration(node)) {
    const clause = node.exportClause;
    return clause !== undefined && ast.isNamedExports(clause)
      ? clause.elements.map((element) => element.name.text)
      : [];
  }
  if (ast.isVariableStatement(node) && isExported(node)) {
    return node.declarationList.declarations.map((declaration) => declaration.name.getText());
  }
  const isDeclaration =
    ast.isFunctionDeclaration(node) ||
    ast.isClassDeclaration(node) ||
    ast.isInterfaceDeclaration(node) ||
    ast.isTypeAliasDeclaration(node);
  if (!isDeclaration || !isExported(node)) return [];
  if (node.modifiers?.some(({ kind }) => kind === ast.SyntaxKind.DefaultKeyword)) return ['default'];
  return [node.name?.text ?? ''];
}

function isExported(node: { readonly modifiers?: readonly ast.Node[] | undefined }): boolean {
  return node.modifiers?.some(({ kind }) => kind === ast.SyntaxKind.ExportKeyword) ?? false;
}

function silencersIn(text: string): { text: string; line: number }[] {
  return text.split('\n').flatMap((content, index) => {
    const found = content.match(/(?:\/\/|\/?\*).*?(@ts-(?:ignore|nocheck|expect-error)|biome-ignore[\w-]*\s+\S+)/);
    return found?.[1] === undefined ? [] : [{ text: found[1], line: index + 1 }];
  });
}
