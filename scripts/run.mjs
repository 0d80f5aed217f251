// Runs a TypeScript entry with the project's own Node 24, installing the dependencies first where that is needed.
// Plain JavaScript without dependencies, since it has to work on Node 20 and in a fresh clone.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** MB. Buffers of records and replies die young: with Node's 16 a worker spends a sixth of its time collecting them. */
const YOUNG_GENERATION = '--max-semi-space-size=32'
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
/** Of TypeScript stripped and compiled before: a command line starts in half the time. */
const COMPILE_CACHE = join(ROOT, '.cache', 'node')
const NODE_MAJOR = 24
const INSTALLED = join(ROOT, 'node_modules', '.package-lock.json')
const WINDOWS = process.platform === 'win32'
const PARENT_CHECK_MS = 300

const [entry, ...args] = process.argv.slice(2)
if (!entry) fail('usage: node scripts/run.mjs ENTRY [ARGUMENT...]')
const why = whyInstall()
if (why) install(why)
if (!existsSync(join(ROOT, entry))) fail(`${entry} is not in this version of the project`)
run(ownNode(), [join(ROOT, entry), ...args])

/** Compares versions, not file times: a checkout touches the lock file without changing it. */
function whyInstall() {
  if (!existsSync(INSTALLED)) return 'node_modules is missing'
  const wanted = packages(join(ROOT, 'package-lock.json'))
  const found = packages(INSTALLED)
  const stale = Object.keys(wanted).find(
    (path) => path !== '' && !wanted[path].optional && found[path]?.version !== wanted[path].version,
  )
  return stale && `${stale} is not the version of package-lock.json`
}

function packages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

function install(reason) {
  console.error(`${reason}: running npm ci, once`)
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    // npm's own output goes to stderr, so that stdout stays the entry's.
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    shell: WINDOWS,
    env: { ...process.env, NODE_ENV: 'development' },
  })
  if (error || status !== 0) fail(`npm ci failed${error ? `: ${error.message}` : ` with exit code ${status}`}`)
}

/** The npm package `node` of this project; else the running Node, where that is new enough. */
function ownNode() {
  const own = join(ROOT, 'node_modules', 'node', 'bin', WINDOWS ? 'node.exe' : 'node')
  if (runs(own)) return own
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath
  console.error(`the install script of the package node did not run: running it to get Node ${NODE_MAJOR}`)
  spawnSync(process.execPath, ['installArchSpecificPackage.js'], {
    cwd: join(ROOT, 'node_modules', 'node'),
    stdio: ['ignore', 2, 2],
  })
  if (runs(own)) return own
  return fail(`Node ${NODE_MAJOR} or newer is needed; this is ${process.version}, and the package node gave none`)
}

function runs(node) {
  return existsSync(node) && spawnSync(node, ['--version'], { stdio: 'ignore' }).status === 0
}

function run(node, argv) {
  const options = `${process.env.NODE_OPTIONS ?? ''} ${YOUNG_GENERATION}`.trim()
  const env = { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env, NODE_OPTIONS: options }
  const child = spawn(node, argv, { stdio: 'inherit', env })
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(name, () => {
      // Ctrl-C in a terminal reaches the child by itself; sent again it would be a second one.
      if (name !== 'SIGINT' || !process.stdin.isTTY) child.kill(name)
    })
  }
  endWithNpm(child)
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

/** npm hands a signal to its shell, which dies of it without passing it on; losing that parent is the signal, then. */
function endWithNpm(child) {
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  const check = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(check)
    child.kill('SIGTERM')
  }, PARENT_CHECK_MS)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
