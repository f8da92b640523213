// Where a thread begins: plain JavaScript, because it makes TypeScript loadable first.
import { workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
await import(new URL(workerData.file, import.meta.url).href)
