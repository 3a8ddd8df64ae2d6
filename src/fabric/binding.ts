/**
 * A binding: what an action is called on one plane: a recipe, a proxied path, a topic, a staging table. A plane carries
 * exactly the actions it has a binding for. The built-in ones are those of the original (domain reference §5.5); the
 * operator adds to them and replaces them in the fabric file.
 */
import type { PlaneKind } from './plane.ts';

export interface RecipeBinding {
  readonly kind: 'recipe';
  readonly recipe: string;
  readonly name?: string;
  /** Below the base address of the plane; the vendor's usual place for the recipe when left out. */
  readonly path?: string;
}

export interface ProxyBinding {
  readonly kind: 'proxy';
  readonly route: string;
  readonly upstream?: string;
  /** Below the base address of the plane; `{id}` stands for the entity's id. */
  readonly path: string;
  /** By default the one of the action's type. */
  readonly method?: HttpMethod;
}

export interface TopicBinding {
  readonly kind: 'topic';
  readonly topic: string;
  /** The member of the data that orders messages, `entity_id` or `tenant_id`; the action's id where that is absent. */
  readonly key: string;
}

export interface TableBinding {
  readonly kind: 'table';
  readonly table: string;
  readonly operation: 'INSERT' | 'UPSERT' | 'SELECT';
}

export interface CallBinding {
  readonly kind: 'call';
  /** Below the base address of the plane; `{id}` stands for the entity's id, `{target}` for the target system. */
  readonly path: string;
  readonly method?: HttpMethod;
}

export type Binding = RecipeBinding | ProxyBinding | TopicBinding | TableBinding | CallBinding;

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The kind of binding that a kind of plane takes. */
export const bindingKinds: Readonly<Record<PlaneKind, Binding['kind']>> = {
  ipaas: 'recipe',
  api_gateway: 'proxy',
  event_bus: 'topic',
  data_warehouse: 'table',
  direct: 'call',
  custom: 'call',
};
