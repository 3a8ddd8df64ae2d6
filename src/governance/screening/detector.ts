/**
 * The rules of all families together, in no order that matters: where findings overlap, the surer one counts.
 */

import { accountRule, ibanRule } from './detector/bank-account.ts';
import { birthDateRule } from './detector/birth-date.ts';
import { cardRule } from './detector/card.ts';
import { documentRule, machineZoneRule } from './detector/document-number.ts';
import { emailRule } from './detector/email.ts';
import { ipv4Rule, ipv6Rule } from './detector/ip-address.ts';
import { letteredIdRule, numericIdRule } from './detector/national-id.ts';
import { cjkNameRule, nameRule } from './detector/person-name.ts';
import { phoneRule } from './detector/phone.ts';
import {
  connectionRule,
  markedKeyRule,
  namedSecretRule,
  privateKeyRule,
  spokenPasswordRule,
  spokenSecretRule,
  userOptionRule,
  webTokenRule,
} from './detector/secret.ts';
import { socialSecurityRule } from './detector/social-security.ts';
import { addressRules } from './detector/street-address.ts';
import type { Validators } from './detector/validators.ts';
import type { Rule } from './rule.ts';

/** @param regions ISO 3166 codes of where telephone numbers without a country code are from */
export function createRules(validators: Validators, regions: readonly string[]): readonly Rule[] {
  return [
    emailRule,
    ipv4Rule,
    ipv6Rule,
    cardRule,
    ibanRule(validators),
    accountRule,
    socialSecurityRule,
    numericIdRule,
    letteredIdRule,
    phoneRule(validators, regions),
    birthDateRule,
    documentRule,
    machineZoneRule,
    markedKeyRule,
    webTokenRule,
    privateKeyRule,
    connectionRule,
    namedSecretRule,
    spokenSecretRule,
    spokenPasswordRule,
    userOptionRule,
    ...addressRules,
    nameRule,
    cjkNameRule,
  ];
}
