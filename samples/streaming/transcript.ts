/** The words of one answer: written once, read by any number of readers, each from where it left off. */
export class Transcript {
  readonly #words: string[] = [];
  #isComplete = false;
  #changed = Promise.withResolvers<void>();

  append(word: string): void {
    this.#words.push(word);
    this.#wake();
  }

  complete(): void {
    this.#isComplete = true;
    this.#wake();
  }

  /** The words after number `position`, each with its number: those that are there, then those that come. */
  async *after(position: number): AsyncGenerator<{ number: number; word: string }> {
    for (let number = position; ; ) {
      const word = this.#words[number];
      if (word !== undefined) yield { number: ++number, word };
      else if (this.#isComplete) return;
      else await this.#changed.promise;
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
