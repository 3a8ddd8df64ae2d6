/** What an error of the Kafka client means for the record that was to be written. */
import { ConnectorError, type Fault } from './connector.ts';
import { systemCode } from './network-fault.ts';

/**
 * By the error codes of the protocol. What is not here may have been written before it went wrong. Brokers do not refuse
 * what goes over a quota: they answer late, and the client library keeps to the pause they ask for.
 */
const faultsByCode: Readonly<Record<string, Fault>> = {
  LEADER_NOT_AVAILABLE: 'unavailable',
  NOT_LEADER_FOR_PARTITION: 'unavailable',
  BROKER_NOT_AVAILABLE: 'unavailable',
  REPLICA_NOT_AVAILABLE: 'unavailable',
  NOT_ENOUGH_REPLICAS: 'unavailable',
  LISTENER_NOT_FOUND: 'unavailable',
  FENCED_LEADER_EPOCH: 'unavailable',
  UNKNOWN_LEADER_EPOCH: 'unavailable',
  TOPIC_AUTHORIZATION_FAILED: 'auth',
  CLUSTER_AUTHORIZATION_FAILED: 'auth',
  SASL_AUTHENTICATION_FAILED: 'auth',
  UNSUPPORTED_SASL_MECHANISM: 'auth',
  ILLEGAL_SASL_STATE: 'auth',
  SECURITY_DISABLED: 'auth',
  MESSAGE_TOO_LARGE: 'too_large',
  RECORD_LIST_TOO_LARGE: 'too_large',
  UNKNOWN_TOPIC_OR_PARTITION: 'invalid',
  INVALID_TOPIC_EXCEPTION: 'invalid',
  CORRUPT_MESSAGE: 'invalid',
  INVALID_RECORD: 'invalid',
  INVALID_REQUIRED_ACKS: 'invalid',
  INVALID_REQUEST: 'invalid',
  INVALID_TIMESTAMP: 'invalid',
  UNSUPPORTED_VERSION: 'invalid',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'invalid',
  UNSUPPORTED_COMPRESSION_TYPE: 'invalid',
  POLICY_VIOLATION: 'rejected',
};

const sentences: Readonly<Record<Fault, string>> = {
  not_sent: 'Kafka cannot be reached',
  throttled: 'Kafka takes no more for now',
  unavailable: 'Kafka cannot write to the topic now',
  ambiguous: 'it is not known whether Kafka wrote the record',
  auth: 'Kafka does not accept who we say we are, or what we want',
  invalid: 'Kafka does not take the record',
  too_large: 'the record is larger than Kafka takes',
  rejected: "a policy of the cluster's refused the record",
};

export function kafkaFault(thrown: unknown): ConnectorError {
  if (thrown instanceof ConnectorError) return thrown;
  const error = innermost(thrown);
  const [fault, vendorCode] = classified(error);
  return new ConnectorError(fault, `${sentences[fault]} (${vendorCode})`, { vendorCode, cause: thrown });
}

function classified(error: Error): readonly [Fault, string] {
  if ('type' in error && typeof error.type === 'string') return [faultsByCode[error.type] ?? 'ambiguous', error.type];
  const code = systemCode(error);
  switch (error.name) {
    case 'KafkaJSSASLAuthenticationError':
    case 'KafkaJSUnsupportedSaslMechanismError':
      return ['auth', 'SASL_AUTHENTICATION_FAILED'];
    case 'KafkaJSRequestTimeoutError':
      // The library asks for metadata and versions before it writes.
      return /^Request Produce\b/.test(error.message) ? ['ambiguous', 'timeout'] : ['not_sent', 'timeout'];
    case 'KafkaJSConnectionError':
      if (error.message === 'Connection timeout') return ['not_sent', 'connect timeout'];
      return [code?.sent === false ? 'not_sent' : 'ambiguous', code?.code ?? 'connection lost'];
    case 'KafkaJSBrokerNotFound':
    case 'KafkaJSMetadataNotLoaded':
    case 'KafkaJSTopicMetadataNotLoaded':
    case 'KafkaJSLockTimeout':
      return ['not_sent', 'no metadata'];
  }
  return [code?.sent === false ? 'not_sent' : 'ambiguous', code?.code ?? 'connection lost'];
}

/** The error that the library's own ones ("retries exceeded", "non-retriable") are wrapped around. */
function innermost(thrown: unknown): Error {
  let error = thrown instanceof Error ? thrown : new Error(String(thrown));
  for (let depth = 0; depth < 5; depth++) {
    const inner = 'originalError' in error ? error.originalError : error.cause;
    if (!(inner instanceof Error)) break;
    error = inner;
  }
  return error;
}
