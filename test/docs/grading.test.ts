/** The files of examples/grading, which docs/grading.md explains: they are of the form that they say, and call what is there. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parseAllDocuments } from 'yaml'
import { ROOT, read } from './repository.ts'

const FOLDER = 'examples/grading'
const FILES = readdirSync(join(ROOT, FOLDER), { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath, entry.name).slice(ROOT.length).replaceAll('\\', '/'))
  .sort()

const isShell = (file: string) => read(file).startsWith('#!/usr/bin/env bash\n')
const yaml = (file: string) =>
  parseAllDocuments(read(`${FOLDER}/${file}`)).map(document => {
    expect(document.errors).to.deep.equal([])
    return document.toJS()
  })

describe('examples/grading/', () => {
  it('has files each of which is linked from docs/grading.md', () => {
    const text = read('docs/grading.md')
    expect(FILES).to.have.length.greaterThan(8)
    for (const file of FILES) expect(text, file).to.include(`(../${file})`)
  })

  it('calls check-solutions and experiment with options that they have', () => {
    const has = `${read('labs/kit/grading/cli.ts')}${read('labs/kit/grading/outputs.ts')}${read('src/cli/experiment.ts')}`
    const options = FILES.flatMap(file => {
      const commands = read(file)
        .replaceAll(/\\\n/g, ' ')
        .matchAll(/(?:check-solutions|experiment) (?:-- )?[^\n]*(?:\n +--[^\n]*)*/g)
      return [...commands].flatMap(([line]) => [...line.matchAll(/ (--[a-z][a-z-]+)/g)].map(([, option]) => option))
    })
    expect(options).to.include.members(['--shard', '--json', '--gradescope', '--github', '--junit'])
    for (const option of options) expect(has, option).to.match(new RegExp(`'${option}[ ']`))
  })

  it('has scripts that bash can parse, and that stop at the first error', () => {
    const scripts = FILES.filter(isShell)
    expect(scripts.length).to.be.at.least(6)
    for (const file of scripts) {
      const { status, stderr } = spawnSync('bash', ['-n', join(ROOT, file)], { encoding: 'utf8' })
      expect(`${status}${stderr}`, file).to.equal('0')
      expect(read(file), file).to.include('set -euo pipefail')
    }
  })

  it('has a workflow that grades by the course’s labs, gives the student’s code no token, and hands the result to the reporter', () => {
    const [workflow] = yaml('github/classroom.yml')
    const { steps, name } = workflow.jobs.autograding
    expect(name).to.equal('Autograding Tests')
    const checkouts = steps.filter(({ uses }: { uses?: string }) => uses?.startsWith('actions/checkout'))
    for (const { with: options } of checkouts) expect(options['persist-credentials']).to.equal(false)
    const reporter = steps.at(-1)
    const [variable, value] = Object.entries(reporter.env)[0] as [string, string]
    // The reporter reads the variable of this name.
    expect(variable).to.equal(`${reporter.with.runners.toUpperCase()}_RESULTS`)
    const id = /steps\.(\w+)\.outputs\.result/.exec(value)?.[1]
    expect(steps.find((step: { id?: string }) => step.id === id).run).to.include('--github')
  })

  it('has a pipeline for GitLab whose JUnit file is the one that is written', () => {
    const [{ grade }] = yaml('gitlab/gitlab-ci.yml')
    expect(grade.script.join('\n')).to.include(`--junit "$CI_PROJECT_DIR/${grade.artifacts.reports.junit}"`)
    expect(grade.artifacts.when).to.equal('always')
  })

  it('counts parts from 1 everywhere, and to as many as there are', () => {
    const [job] = yaml('kubernetes/grade.yaml')
    const { completions, completionMode, template } = job.spec
    expect(completionMode).to.equal('Indexed')
    const [script] = template.spec.containers[0].args
    expect(script).to.include('part=$((JOB_COMPLETION_INDEX + 1))').and.include(`--shard "$part/${completions}"`)
    expect(read(`${FOLDER}/slurm/submit.sh`))
      .to.include('--array="1-$OF"')
      .and.include('--dependency="afterany:$array"')
    for (const name of ['grade', 'experiment']) {
      expect(read(`${FOLDER}/slurm/${name}.sbatch`)).to.include('--shard "$SLURM_ARRAY_TASK_ID/$OF"')
    }
  })

  it('has a Containerfile with instructions that there are, without root when it grades', () => {
    const lines = read(`${FOLDER}/Containerfile`)
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
    const instructions = lines.map(line => line.split(' ')[0])
    expect(instructions).to.deep.equal(['FROM', 'RUN', 'WORKDIR', 'COPY', 'RUN', 'USER', 'ENTRYPOINT'])
    expect(JSON.parse(lines.at(-1)?.slice('ENTRYPOINT '.length) ?? '')).to.include('check-solutions')
  })
})
