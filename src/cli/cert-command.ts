import { fileURLToPath } from 'node:url'

/** A program to start. */
export interface CertCommand {
  file: string
  args: string[]
}

const script = (name: string): string => fileURLToPath(new URL(`../../cert/${name}`, import.meta.url))

/**
 * Which certificate script to run on this platform, and with which arguments.
 *
 * `args` are generate.sh's own (`--out DIR --client NAME …`); on Windows they are translated to PowerShell's.
 */
export function certCommand(platform: NodeJS.Platform, args: readonly string[]): CertCommand {
  if (platform === 'win32') {
    return {
      file: 'pwsh',
      args: ['-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', script('generate.ps1'), ...powershellArguments(args)],
    }
  }
  return {
    file: 'bash',
    args: [script('generate.sh'), ...args],
  }
}

/** Options that PowerShell spells in its own way; those that may be repeated become one list with commas. */
const POWERSHELL_OPTIONS: Readonly<Record<string, { name: string; repeated?: true; flag?: true }>> = {
  '--out': { name: '-Out' },
  '--client': { name: '-Client', repeated: true },
  '--name': { name: '-Name', repeated: true },
  '--days': { name: '-Days' },
  '--force': { name: '-Force', flag: true },
}

/** Translates generate.sh's arguments to generate.ps1's. What it does not know is passed on for PowerShell to refuse. */
export function powershellArguments(args: readonly string[]): string[] {
  const result: string[] = []
  const lists = new Map<string, string[]>()
  for (let i = 0; i < args.length; i++) {
    const option = Object.hasOwn(POWERSHELL_OPTIONS, args[i]) ? POWERSHELL_OPTIONS[args[i]] : undefined
    if (option === undefined) {
      result.push(args[i])
    } else if (option.flag) {
      result.push(option.name)
    } else if (i + 1 === args.length) {
      result.push(option.name) // PowerShell says that the value is missing
    } else if (option.repeated) {
      lists.set(option.name, [...(lists.get(option.name) ?? []), args[++i]])
    } else {
      result.push(option.name, args[++i])
    }
  }
  for (const [name, values] of lists) result.push(name, values.join(','))
  return result
}
