/**
 * Parts that are started and stopped with the process. They start in order and stop in reverse; a part that fails to
 * stop does not keep the others from stopping.
 */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the services in order. When one fails, those already started are stopped again and the failure is rethrown.
 * @returns a function that stops them all in reverse order and rethrows the first failure.
 */
export async function startServices(services: readonly Service[]): Promise<() => Promise<void>> {
  const started: Service[] = [];
  const stopAll = async () => {
    const failures: unknown[] = [];
    for (let service = started.pop(); service !== undefined; service = started.pop()) {
      await service.stop().catch((failure: unknown) => failures.push(failure));
    }
    if (failures.length > 0) throw failures[0];
  };
  for (const service of services) {
    try {
      await service.start();
      started.push(service);
    } catch (failure) {
      await stopAll().catch(() => {});
      throw failure;
    }
  }
  return stopAll;
}
