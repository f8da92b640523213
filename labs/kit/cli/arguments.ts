/** What can be said after `npm run lab --`. */
import { Command, InvalidArgumentError } from 'commander'
import { isPort } from '../run/classroom.ts'

export interface Options {
  plain?: boolean
  json?: boolean
  check?: boolean
  watch?: boolean
  task?: string
  hint?: boolean
  list?: boolean
  ports?: boolean
  relay?: boolean
  answer?: string[]
  /** `true`: all tasks. */
  reset?: string | true
  solution?: string
  replay?: boolean
  inspect?: boolean
  capture?: string
  packet?: number
  /** `true`: without a code. */
  join?: string | true
  leave?: boolean
  alias?: string
  port?: number
}

/** Throws commander's errors. */
export function parseArguments(argv: readonly string[]): { lab: string | undefined; options: Options } {
  const command = new Command('npm run lab --')
    .description('Opens a lab. Without a number: the list of labs.')
    .argument('[lab]', 'number or name of the lab')
    .option('--task <id>', 'one task, by id or number')
    .option('--check', 'without --task: checks all tasks from the exercise files alone; the exit status tells')
    .option('--watch', 'checks a task again whenever one of its files is saved')
    .option('--hint', 'one more hint for the task (without --task: the next unsolved one)')
    .option(
      '--answer <answer>',
      "answers the task's question, and checks: VALUE, or QUESTION=VALUE; may be repeated",
      collect,
    )
    .option('--reset [task]', 'puts the starting files back, of one task or of all; yours are kept as .bak files')
    .option('--solution <task>', 'the reference solution: once the task is solved, or has been tried three times')
    .option('--replay', 'what failed in the last check of the task, alone: your code, its input, what it prints')
    .option('--inspect', 'with --replay: waits for a debugger')
    .option('--capture <file>', 'lab 3: shows a file of --pcap, tshark or tcpdump, packet by packet and byte by byte')
    .option('--packet <number>', 'with --capture: this packet', numberOf)
    .option(
      '--join [code]',
      'joins the classroom that has this code, which then shows which task you are at and whether it is solved; no code: your account is on its list',
    )
    .option('--alias <name>', 'with --join: the name that is shown there (default: your user name)')
    .option('--port <port>', 'with --join and no code: where the classroom is', portOf)
    .option('--leave', 'leaves it, and takes back what it knows of you')
    .option('--relay', 'opens a tunnel to the proxy of the classroom for half a minute, and measures through it')
    .option('--list', 'the labs; with a lab, its tasks and how far you are')
    .option('--ports', 'the ports that are yours on this machine')
    .option('--plain', 'plain text instead of the terminal UI')
    .option('--json', 'lists, tasks and results of checks as JSON')
    .helpOption('--help', 'shows this')
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .parse([...argv], { from: 'user' })
  return { lab: command.args[0], options: command.opts() }
}

function collect(value: string, earlier: string[] = []): string[] {
  if (value.trim() === '') throw new InvalidArgumentError('an answer is expected')
  return [...earlier, value]
}

function numberOf(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('a number from 1 on is expected')
  return Number(text)
}

function portOf(text: string): number {
  if (!isPort(Number(text))) throw new InvalidArgumentError('a port from 1 to 65535 is expected')
  return Number(text)
}

/** Nothing is asked for that is answered in text. */
export function wantsUi(options: Options): boolean {
  return Object.keys(options).every(name => name === 'task' || name === 'watch')
}
