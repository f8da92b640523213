/** `npm run docs:api`: makes docs/api.md from docs/openapi.yaml. */
import { writeFileSync } from 'node:fs'
import { readDescription, toMarkdown } from '../server/api/description.ts'

writeFileSync(new URL('../../docs/api.md', import.meta.url), toMarkdown(readDescription()))
console.log('docs/api.md is made')
