/**
 * Takes every step, whatever the others do: for the end of something, where each step gives back what nobody else would.
 * Throws what the first step that failed has thrown, when all have been taken.
 */
export function runAll(steps: readonly (() => unknown)[]): void {
  const errors: unknown[] = []
  for (const step of steps) {
    try {
      step()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}
