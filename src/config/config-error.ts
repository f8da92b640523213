/** A configuration that cannot be used. The message says in full sentences which file, which key, what was found and what is expected. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  /** As the user wrote it. */
  readonly file: string
  /** One line for each thing that is wrong. */
  readonly problems: readonly string[]

  constructor(file: string, problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options)
    this.file = file
    this.problems = problems
  }
}

/** Something wrong with the value of one key; `key` is spelled as in the file: `auth.tokens[0].sha256`. */
export interface KeyProblem {
  key: string
  message: string
}

/** Throws a ConfigError when there are problems. */
export function failOnProblems(file: string, problems: readonly KeyProblem[]): void {
  if (problems.length === 0) return
  throw new ConfigError(
    file,
    problems.map(({ key, message }) => `${file}: ${key}: ${message}`),
  )
}
