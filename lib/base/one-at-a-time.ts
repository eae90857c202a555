/** Jobs that must not overlap. */

/** Runs a job after all that were given before it, whether they failed or not. @returns the job's own outcome */
export type Queue = <T>(job: () => Promise<T>) => Promise<T>;

/** A queue with nothing in it. */
export function oneAtATime(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (job) => {
    const result = last.then(job);
    last = result.catch(() => undefined);
    return result;
  };
}
