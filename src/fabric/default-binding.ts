/** The bindings of the original (domain reference §5.5): what a plane carries when the operator's file says nothing. */
import type { ActionPair } from './action.ts';
import type { Binding, ProxyBinding, RecipeBinding, TableBinding, TopicBinding } from './binding.ts';
import type { PlaneKind } from './plane.ts';

type Bindings<B extends Binding> = Readonly<Partial<Record<ActionPair, B>>>;

const recipe = (id: string): RecipeBinding => ({ kind: 'recipe', recipe: id });
const proxy = (route: string, upstream: string, path: string): ProxyBinding => ({
  kind: 'proxy',
  route,
  upstream,
  path,
});
const topic = (name: string, key: string): TopicBinding => ({ kind: 'topic', topic: `aos.commands.${name}`, key });
const table = (name: string, operation: TableBinding['operation']): TableBinding => ({
  kind: 'table',
  table: name,
  operation,
});

const recipes: Bindings<RecipeBinding> = {
  'crm:update': recipe('recipe_crm_update_customer'),
  'crm:create': recipe('recipe_crm_create_customer'),
  'crm:read': recipe('recipe_crm_get_customer'),
  'erp:update': recipe('recipe_erp_update_order'),
  'finance:create': recipe('recipe_finance_create_invoice'),
  'hris:update': recipe('recipe_hris_update_employee'),
};

const proxies: Bindings<ProxyBinding> = {
  'crm:update': proxy('crm-customer-update', 'salesforce-upstream', '/crm/v1/customers/{id}'),
  'crm:create': proxy('crm-customer-create', 'salesforce-upstream', '/crm/v1/customers'),
  'crm:read': proxy('crm-customer-get', 'salesforce-upstream', '/crm/v1/customers/{id}'),
  'erp:update': proxy('erp-order-update', 'netsuite-upstream', '/erp/v1/orders/{id}'),
  'finance:create': proxy('finance-invoice-create', 'stripe-upstream', '/finance/v1/invoices'),
};

const topics: Bindings<TopicBinding> = {
  'crm:update': topic('crm.customer.update', 'customer_id'),
  'crm:create': topic('crm.customer.create', 'tenant_id'),
  'crm:delete': topic('crm.customer.delete', 'customer_id'),
  'erp:update': topic('erp.order.update', 'order_id'),
  'erp:create': topic('erp.order.create', 'tenant_id'),
  'finance:create': topic('finance.invoice.create', 'tenant_id'),
  'analytics:execute': topic('analytics.report.generate', 'report_id'),
  'inventory:sync': topic('inventory.sync', 'warehouse_id'),
};

const tables: Bindings<TableBinding> = {
  'crm:update': table('aos_staging.stg_crm_customer_updates', 'UPSERT'),
  'crm:create': table('aos_staging.stg_crm_customer_creates', 'INSERT'),
  'erp:update': table('aos_staging.stg_erp_order_updates', 'UPSERT'),
  'finance:create': table('aos_staging.stg_finance_invoices', 'INSERT'),
  'analytics:execute': table('aos_staging.stg_analytics_jobs', 'INSERT'),
  'data_warehouse:ingest': table('aos_staging.stg_ingest_queue', 'INSERT'),
};

const builtIn: Readonly<Partial<Record<PlaneKind, Bindings<Binding>>>> = {
  ipaas: recipes,
  api_gateway: proxies,
  event_bus: topics,
  data_warehouse: tables,
};

/** What a kind of plane calls a pair by default; undefined when it does not carry it. */
export function defaultBinding(kind: PlaneKind, pair: ActionPair): Binding | undefined {
  if (kind !== 'direct') return builtIn[kind]?.[pair];
  // A direct call goes to any system; only a create has no id to name.
  return { kind: 'call', path: pair.endsWith(':create') ? '/api/v1/{target}' : '/api/v1/{target}/{id}' };
}
