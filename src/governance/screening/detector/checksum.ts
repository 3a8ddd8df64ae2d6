/** Check digits of cards and ids. All take digits only, unless they say otherwise. */

/** NaN for anything but a digit. */
function digitAt(digits: string, index: number): number {
  const code = digits.charCodeAt(index);
  return code >= 0x30 && code <= 0x39 ? code - 0x30 : Number.NaN;
}

/** Luhn (ISO/IEC 7812): cards, Canadian and Swedish numbers. */
export function luhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digitAt(digits, digits.length - 1 - index);
    sum += index % 2 === 0 ? digit : digit < 5 ? digit * 2 : digit * 2 - 9;
  }
  return sum % 10 === 0;
}

/** The sum of digits times weights, first with first. */
export function weighted(digits: string, weights: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < weights.length && index < digits.length; index++) {
    sum += (weights[index] ?? 0) * digitAt(digits, index);
  }
  return sum;
}

/** The remainder of a number too long for a double. */
export function remainder(digits: string, by: number): number {
  let rest = 0;
  for (let index = 0; index < digits.length; index++) rest = (rest * 10 + digitAt(digits, index)) % by;
  return rest;
}

/** The check digit of EAN-13: Swiss social insurance. */
export function ean(digits: string): boolean {
  return weighted(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0;
}

const TURN = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
];
const SHIFT = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
];

/** Verhoeff: Aadhaar. */
export function verhoeff(digits: string): boolean {
  let check = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digitAt(digits, digits.length - 1 - index);
    check = Number(TURN[check]?.[Number(SHIFT[index % 8]?.[digit])]);
  }
  return check === 0;
}

/** ISO 7064 mod 11,10: Germany's tax number, Croatia's OIB. */
export function mod1110(digits: string): boolean {
  let product = 10;
  for (let index = 0; index < digits.length - 1; index++) {
    const sum = (digitAt(digits, index) + product) % 10;
    product = ((sum === 0 ? 10 : sum) * 2) % 11;
  }
  return (11 - product) % 10 === Number(digits.at(-1));
}

/** Whether month and day exist, in any year. */
export function isMonthDay(month: number, day: number): boolean {
  return (
    month >= 1 && month <= 12 && day >= 1 && day <= ([2].includes(month) ? 29 : [4, 6, 9, 11].includes(month) ? 30 : 31)
  );
}
