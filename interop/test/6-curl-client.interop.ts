import { clientSuite } from '../harness/case-suite.ts'
import { pythonProgram } from '../harness/python.ts'

const program = pythonProgram('curl-cffi')

clientSuite('curl, a client of our proxy', program, await program.list())
