// Fetches the jars of Apache Kafka once, by Maven from Maven Central, into the project's cache folder.
// Must not leave half a download behind: the folder appears under its name only when it is complete.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireProgram } from './system-packages.ts'

const run = promisify(execFile)
export const KAFKA_VERSION = '4.1.1'
/** The log4j that Kafka 4.1 ships; its jars name slf4j only. */
const LOG4J_VERSION = '2.24.3'
const MAVEN_TIMEOUT_MS = 300_000
const CACHE = join(import.meta.dirname, '..', '.cache', `kafka-${KAFKA_VERSION}`)

const DEPENDENCIES: ReadonlyArray<readonly [group: string, artifact: string, version: string]> = [
  ['org.apache.kafka', 'kafka_2.13', KAFKA_VERSION],
  ['org.apache.kafka', 'kafka-tools', KAFKA_VERSION],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', LOG4J_VERSION],
  ['org.apache.logging.log4j', 'log4j-core', LOG4J_VERSION],
]

/** The folder with all jars of the broker and its tools. Throws when Maven cannot be had or cannot fetch them. */
export async function kafkaJars(): Promise<string> {
  const libs = join(CACHE, 'libs')
  if (existsSync(libs)) return libs
  const maven = await requireProgram('mvn', 'maven')
  mkdirSync(CACHE, { recursive: true })
  const work = mkdtempSync(join(CACHE, 'fetch-'))
  try {
    console.log(`fetching Apache Kafka ${KAFKA_VERSION} from Maven Central, once`)
    writeFileSync(join(work, 'pom.xml'), pom())
    await run(
      maven,
      [
        '-q',
        '-B',
        '-f',
        join(work, 'pom.xml'),
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${join(work, 'libs')}`,
      ],
      { timeout: MAVEN_TIMEOUT_MS },
    )
    publish(join(work, 'libs'), libs)
  } catch (error) {
    throw new Error(`Maven could not fetch Apache Kafka ${KAFKA_VERSION}: ${mavenSays(error)}`, { cause: error })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return libs
}

function publish(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    // Another process fetched the same jars meanwhile: theirs are as good.
    if (!existsSync(to)) throw error
  }
}

function mavenSays(error: unknown): string {
  const { stdout = '', message = '' } = error as { stdout?: string; message?: string }
  return (stdout.trim() || message).split('\n').slice(0, 5).join('\n')
}

function pom(): string {
  const dependencies = DEPENDENCIES.map(
    ([group, artifact, version]) =>
      '<dependency>' +
      `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  )
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    `<groupId>local</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>` +
    `<dependencies>${dependencies.join('')}</dependencies></project>\n`
  )
}
