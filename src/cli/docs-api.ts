/** `npm run docs:api`: makes docs/api.md from docs/openapi.yaml. */
import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { readDescription, toMarkdown } from '../server/api/description.ts'

new Command('npm run docs:api --').description('Makes docs/api.md from docs/openapi.yaml.').parse()

writeFileSync(new URL('../../docs/api.md', import.meta.url), toMarkdown(readDescription()))
console.log('docs/api.md is made')
