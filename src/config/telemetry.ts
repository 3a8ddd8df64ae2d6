/** What spans may hold. Where they are sent is read by `telemetry/export.ts`. */
import { text, type Variables } from './value.ts';

export const telemetryVariables = {
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: text.optional(),
};
export type TelemetryVariables = Variables<typeof telemetryVariables>;

/** Whether spans hold what people and models wrote. */
export function readCaptureContent(variables: TelemetryVariables): boolean {
  return !/^(false|0)$/i.test(variables.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT ?? '');
}
