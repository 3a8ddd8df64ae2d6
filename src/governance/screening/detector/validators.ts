/**
 * What we leave to well-kept libraries: the national forms of IBANs, and the numbering plans of the world's telephones.
 * They are loaded with the first text that is screened.
 */
export interface Validators {
  /** Whether it is an IBAN, in capitals and without blanks: form of its country and check digits. */
  readonly isIban: (text: string) => boolean;
  /** The plan of a country (ISO 3166, two letters). */
  readonly planOf: (region: string) => NumberingPlan | undefined;
  /** The countries behind a calling code (`44`). */
  readonly regionsOf: (callingCode: string) => readonly string[];
}

export interface NumberingPlan {
  /** What is dialled before a number inside the country, mostly 0. */
  readonly trunk: string;
  /** How many digits a number may have, without trunk and calling code. */
  readonly lengths: readonly number[];
  /** A pattern of all numbers that exist, without trunk and calling code. */
  readonly number: string;
}

let loading: Promise<Validators> | undefined;

export function loadValidators(): Promise<Validators> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Validators> {
  const [iban, { Metadata }, { default: metadata }] = await Promise.all([
    import('validator/lib/isIBAN.js'),
    import('libphonenumber-js/core'),
    import('libphonenumber-js/max/metadata'),
  ]);
  // The package is CommonJS made from modules: how deep its function is depends on who loads it.
  const outer: unknown = iban.default;
  const isIban = typeof outer === 'function' ? (outer as typeof iban.default.default) : iban.default.default;
  const regions: Readonly<Record<string, readonly string[]>> = metadata.country_calling_codes;
  const plans = new Map<string, NumberingPlan | undefined>();
  const readPlan = (region: string): NumberingPlan | undefined => {
    const known = Object.keys(metadata.countries).find((country) => country === region);
    if (known === undefined) return undefined;
    const reader = new Metadata(metadata);
    reader.selectNumberingPlan(known as Parameters<typeof reader.selectNumberingPlan>[0]);
    const plan = reader.numberingPlan;
    if (plan === undefined) return undefined;
    // The library's types leave out these.
    const { nationalPrefix, nationalNumberPattern } = plan as unknown as {
      nationalPrefix(): string | null;
      nationalNumberPattern(): string;
    };
    return {
      trunk: String(nationalPrefix.call(plan) ?? ''),
      lengths: plan.possibleLengths(),
      number: nationalNumberPattern.call(plan),
    };
  };
  return {
    isIban,
    planOf(region) {
      if (!plans.has(region)) plans.set(region, readPlan(region));
      return plans.get(region);
    },
    regionsOf: (callingCode) => regions[callingCode] ?? [],
  };
}
