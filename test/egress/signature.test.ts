import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signatureHeaders, verifyBody, verifyWebhook } from '../../src/egress/signature.ts';

const NOW = 1_767_225_600;
const secret = 'a secret of some length';
const message = { id: 'msg_1', timestamp: NOW, body: '{"status":"completed"}' };

describe('the signature of a message', () => {
  it('is the HMAC-SHA256 of its body in hex', () => {
    expect(signatureHeaders(secret, message)['x-aos-signature']).toBe(
      createHmac('sha256', secret).update(message.body).digest('hex'),
    );
  });

  it('is also that of the Standard Webhooks specification, with its example', () => {
    const example = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: 1_614_265_330,
      body: '{"test": 2432232314}',
    };
    expect(signatureHeaders('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', example)).toMatchObject({
      'webhook-id': example.id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is left out where there is no secret', () => {
    expect(signatureHeaders(undefined, message)).toEqual({ 'webhook-id': 'msg_1', 'webhook-timestamp': String(NOW) });
  });

  it('is found to be right by whoever knows the secret, and by nobody else', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (body, one, other) => {
        const headers = signatureHeaders(one, { ...message, body });
        expect(verifyBody(one, body, headers)).toBe(true);
        expect(verifyWebhook(one, body, headers, NOW)).toBe(true);
        expect(verifyBody(one, `${body} `, headers)).toBe(false);
        if (one !== other && !one.startsWith('whsec_') && !other.startsWith('whsec_')) {
          expect(verifyWebhook(other, body, headers, NOW)).toBe(false);
        }
      }),
    );
  });
});

describe('a message that was signed', () => {
  const headers = signatureHeaders(secret, message);
  it.each([
    ['of now', headers, NOW, true],
    ['nearly too old', headers, NOW + 300, true],
    ['too old', headers, NOW + 301, false],
    ['of the future', headers, NOW - 301, false],
    ['with another id', { ...headers, 'webhook-id': 'msg_2' }, NOW, false],
    ['with another time', { ...headers, 'webhook-timestamp': String(NOW + 1) }, NOW, false],
    ['with a time that is none', { ...headers, 'webhook-timestamp': 'soon' }, NOW, false],
    ['without its signature', { ...headers, 'webhook-signature': undefined }, NOW, false],
    ['with a cut signature', { ...headers, 'webhook-signature': 'v1,abc' }, NOW, false],
    [
      'with a signature of an old secret too',
      { ...headers, 'webhook-signature': `v1,abc ${headers['webhook-signature']}` },
      NOW,
      true,
    ],
  ])('%s', (_, received, now, genuine) => {
    expect(verifyWebhook(secret, message.body, received, now)).toBe(genuine);
  });
});
