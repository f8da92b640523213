import { join } from 'node:path'
import { ROOT } from '../../docs/repository.ts'

/** A module of the live view. TypeScript knows nothing of it. */
export const module = (name: string) => import(join(ROOT, 'src/server/live', name))
