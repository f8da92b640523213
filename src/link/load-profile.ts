import type { Profile } from './profile.ts'

/** A shipped profile by its name, or a profile file by its path. Throws ConfigError. */
export function loadProfile(nameOrFile: string): Profile {
  throw new Error(`not yet: ${nameOrFile}`)
}

/** The shipped profiles, in alphabetical order. */
export function profileNames(): string[] {
  return []
}

/** Throws ConfigError that names file, key, value found and what is allowed. */
export function parseProfile(text: string, where: { file: string }): Profile {
  throw new Error(`not yet: ${where.file} ${text.length}`)
}
