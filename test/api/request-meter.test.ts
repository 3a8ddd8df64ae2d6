import { expect, test } from 'vitest';
import { formatFamilies } from '../../src/api/exposition.ts';
import { createRequestMeter } from '../../src/api/request-meter.ts';

test('calls are counted by route and status, and their durations in buckets that add up', () => {
  const meter = createRequestMeter();
  meter.observe('GET', '/api/x/{id}', 200, 0.004);
  meter.observe('GET', '/api/x/{id}', 200, 0.03);
  meter.observe('GET', '/api/x/{id}', 404, 60);
  const text = formatFamilies(meter.families());
  const route = 'method="GET",route="/api/x/{id}"';
  expect(text).toContain(`aos_http_requests_total{${route},status="200"} 2\n`);
  expect(text).toContain(`aos_http_requests_total{${route},status="404"} 1\n`);
  expect(text).toContain(`_bucket{${route},le="0.005"} 1\n`);
  expect(text).toContain(`_bucket{${route},le="0.05"} 2\n`);
  expect(text).toContain(`_bucket{${route},le="10"} 2\n`);
  expect(text).toContain(`_bucket{${route},le="+Inf"} 3\n`);
  expect(text).toContain(`_count{${route}} 3\n`);
});
