import { describe, expect, test } from 'vitest';
import { ConfigurationError, readSettings } from '../../src/host/settings.ts';

describe('settings from the environment', () => {
  test('have the defaults of the protocol', () => {
    expect(readSettings({})).toMatchObject({
      port: 8088,
      isHosted: false,
      sseKeepAliveMs: 0,
      wsPingMs: 0,
      logLevel: 'INFO',
      spans: true,
    });
  });

  test.each([
    ['PORT', '1', { port: 1 }],
    ['PORT', ' 65535 ', { port: 65535 }],
    ['PORT', '', { port: 8088 }],
    ['SSE_KEEPALIVE_INTERVAL', '15', { sseKeepAliveMs: 15_000 }],
    ['SSE_KEEPALIVE_INTERVAL', '-3', { sseKeepAliveMs: 0 }],
    ['WS_KEEPALIVE_INTERVAL', '0.5', { wsPingMs: 500 }],
    ['WS_KEEPALIVE_INTERVAL', '0', { wsPingMs: 0 }],
    ['FOUNDRY_HOSTING_ENVIRONMENT', 'anything', { isHosted: true }],
    ['AOS_LOG_LEVEL', 'warning', { logLevel: 'WARNING' }],
    ['AGENTSERVER_SPANS', 'off', { spans: false }],
  ])('%s=%j', (name, value, expected) => {
    expect(readSettings({ [name]: value })).toMatchObject(expected);
  });

  test.each([
    ['PORT', '0'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['PORT', 'http'],
    ['SSE_KEEPALIVE_INTERVAL', '1.5'],
    ['SSE_KEEPALIVE_INTERVAL', 'soon'],
    ['WS_KEEPALIVE_INTERVAL', '-1'],
    ['WS_KEEPALIVE_INTERVAL', 'NaN'],
    ['WS_KEEPALIVE_INTERVAL', 'Infinity'],
    ['WS_KEEPALIVE_INTERVAL', '1e999'],
    ['AOS_LOG_LEVEL', 'TRACE'],
    ['AGENTSERVER_SPANS', 'maybe'],
  ])('%s=%j stops the start with its name and value', (name, value) => {
    expect(() => readSettings({ [name]: value })).toThrow(ConfigurationError);
    expect(() => readSettings({ [name]: value })).toThrow(new RegExp(`${name} must be .*"${value}"`));
  });

  test('report every fault at once', () => {
    expect(() => readSettings({ PORT: 'x', WS_KEEPALIVE_INTERVAL: 'y' })).toThrow(/PORT.*WS_KEEPALIVE_INTERVAL/);
  });

  test('give way to what the code says', () => {
    expect(readSettings({ PORT: '1000' }, { port: 2000 }).port).toBe(2000);
    expect(() => readSettings({}, { port: 70_000 })).toThrow(/PORT must be .*"70000"/);
  });
});
