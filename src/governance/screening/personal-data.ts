/**
 * The kinds of personal data that screening knows, how bad it is when one gets out, and what stands in its place.
 */
export const personalDataTypes = [
  'email',
  'phone',
  'ssn',
  'credit_card',
  'ip_address',
  'date_of_birth',
  'name',
  'address',
  'passport',
  'driver_license',
  'bank_account',
  'national_id',
  'api_key',
  'password',
] as const;

export type PersonalDataType = (typeof personalDataTypes)[number];

/** From harmless to worst. */
export const riskLevels = ['none', 'low', 'medium', 'high', 'critical'] as const;
export type RiskLevel = (typeof riskLevels)[number];

const known: Readonly<Record<PersonalDataType, { readonly risk: RiskLevel; readonly token: string }>> = {
  email: { risk: 'medium', token: '[EMAIL]' },
  phone: { risk: 'medium', token: '[PHONE]' },
  ssn: { risk: 'high', token: '[SSN]' },
  credit_card: { risk: 'high', token: '[CARD]' },
  ip_address: { risk: 'low', token: '[IP]' },
  date_of_birth: { risk: 'medium', token: '[DOB]' },
  name: { risk: 'low', token: '[NAME]' },
  address: { risk: 'medium', token: '[ADDRESS]' },
  passport: { risk: 'high', token: '[PASSPORT]' },
  driver_license: { risk: 'high', token: '[LICENSE]' },
  bank_account: { risk: 'high', token: '[ACCOUNT]' },
  national_id: { risk: 'high', token: '[NATIONAL_ID]' },
  api_key: { risk: 'critical', token: '[API_KEY]' },
  password: { risk: 'critical', token: '[PASSWORD]' },
};

/** What stands in the place of a value of this type. */
export function tokenOf(type: PersonalDataType): string {
  return known[type].token;
}

/** The worst risk among the types; `none` for none. */
export function riskOf(types: Iterable<PersonalDataType>): RiskLevel {
  let worst = 0;
  for (const type of types) worst = Math.max(worst, riskLevels.indexOf(known[type].risk));
  return riskLevels[worst] ?? 'critical';
}
