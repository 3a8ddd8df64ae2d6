/**
 * What a vendor's file offers: the settings it wants in the fabric file, and the connector made from them. The files are
 * loaded only for planes in use, so that client libraries cost nothing where nobody needs them.
 */
import type { z } from 'zod';
import type { ConnectorParts, PlaneConnector } from './connector.ts';
import type { PlaneKind } from './plane.ts';

export interface ConnectorKind<Settings extends z.ZodObject = z.ZodObject> {
  readonly settings: Settings;
  /** Where its requests go (`https://host:port`); nothing else is let out for it. None for what speaks no HTTP. */
  origins(settings: z.output<Settings>): readonly string[];
  create(settings: z.output<Settings>, parts: ConnectorParts, plane: PlaneKind): PlaneConnector;
}

/** Gives a kind its type. */
export function connectorKind<Settings extends z.ZodObject>(kind: ConnectorKind<Settings>): ConnectorKind<Settings> {
  return kind;
}

/** A kind whose settings were checked by its own schema: what the roster holds. */
export interface AnyConnectorKind {
  readonly settings: z.ZodObject;
  open(settings: Record<string, unknown>): {
    readonly origins: readonly string[];
    create(parts: ConnectorParts, plane: PlaneKind): PlaneConnector;
  };
}

/** The kind without its type: settings are checked where they come in. @throws ZodError when they do not fit */
export function anyKind<Settings extends z.ZodObject>(kind: ConnectorKind<Settings>): AnyConnectorKind {
  return {
    settings: kind.settings,
    open(given) {
      const settings = kind.settings.parse(given);
      return {
        origins: kind.origins(settings),
        create: (parts, plane) => kind.create(settings, parts, plane),
      };
    },
  };
}
