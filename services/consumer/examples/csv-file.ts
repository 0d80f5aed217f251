// A file that grows by lines, and the place in the log that its lines stand for. Both are kept together: the place names
// the file's length, and what is beyond that length after a crash is cut off, since it comes again.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { z } from 'zod'
import { StopConsumingError } from '../index.ts'
import { BOM, eventIds, headerLine, type Separator } from './csv-cells.ts'

/** Of the end of the file: by them a file that somebody else changed is told. */
const MARK_BYTES = 4_096
/** Of the end of the file: what is in it is not written twice. About 30,000 lines. */
const REMEMBERED_BYTES = 8 * 1024 * 1024

const placeShape = z.strictObject({
  version: z.literal(1),
  separator: z.enum([';', ',']),
  /** Length of the file that the offsets stand for. */
  bytes: z.number().int().min(0),
  /** Hash of its last bytes. */
  mark: z.string(),
  /** Next offset of each partition. */
  offsets: z.array(z.string().regex(/^\d{1,18}$/)),
})

type Place = z.infer<typeof placeShape>

/** The file is not as it was left. The message says what to do. */
export class CsvFileError extends StopConsumingError {
  override readonly name = 'CsvFileError'
}

export interface CsvFile {
  /** Next offset of each partition; null when the file is new. */
  readonly offsets: readonly bigint[] | null
  /** Ids of the last events in it, oldest first. */
  readonly eventIds: readonly string[]
  /** Adds lines and moves one partition's offset: both, or after a crash neither. @throws CsvFileError */
  append(lines: string, partition: number, next: bigint): Promise<void>
  /** Before the first `append` of a new file: where it begins. */
  begin(offsets: readonly bigint[]): Promise<void>
  close(): Promise<void>
}

/** Opens or makes the file, and locks it. @throws CsvFileError */
export async function openCsvFile(path: string, separator: Separator): Promise<CsvFile> {
  const unlock = lock(`${path}.lock`)
  try {
    return await openLocked(path, separator, unlock)
  } catch (error) {
    await unlock()
    throw error
  }
}

async function openLocked(path: string, separator: Separator, unlock: () => Promise<void>): Promise<CsvFile> {
  const placePath = `${path}.place.json`
  const kept = readPlace(placePath)
  if (kept && kept.separator !== separator)
    throw new CsvFileError(`${path} was begun with the separator ${kept.separator}: give that one, or another file`)
  if (!kept && !isNew(path, separator))
    throw new CsvFileError(`${path} is there, but ${placePath} is not: give another file, or move this one away`)
  if (kept && !existsSync(path))
    throw new CsvFileError(`${path} is gone: put it back, or delete ${placePath} to begin anew`)
  const file = await open(path, existsSync(path) ? 'r+' : 'wx+')
  let place: Place = kept ?? { version: 1, separator, bytes: 0, mark: '', offsets: [] }
  try {
    await mustBeOurs(file, place, path)
    await file.truncate(place.bytes)
    const ids = eventIds(await readEnd(file, place.bytes, REMEMBERED_BYTES), separator)
    const write = async (text: string, offsets: readonly string[]) => {
      const { size, ino } = await stat(path).catch(() => ({ size: -1, ino: -1 }))
      if (size < place.bytes || ino !== (await file.stat()).ino || (await markOf(file, place.bytes)) !== place.mark)
        throw changed(path)
      // What an earlier attempt may have left behind it is written over, then cut off.
      const bytes = Buffer.from(text, 'utf8')
      await file.write(bytes, 0, bytes.byteLength, place.bytes)
      await file.truncate(place.bytes + bytes.byteLength)
      await file.datasync()
      const end = place.bytes + bytes.byteLength
      place = await keepPlace(placePath, { ...place, bytes: end, mark: await markOf(file, end), offsets: [...offsets] })
    }
    return {
      offsets: kept ? kept.offsets.map(BigInt) : null,
      eventIds: ids,
      begin: (offsets) => write(BOM + headerLine(separator), offsets.map(String)),
      append: (lines, partition, next) => write(lines, place.offsets.with(partition, String(next))),
      close: async () => {
        await file.close()
        await unlock()
      },
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Absent, or as a process left it that was killed before it had a place. */
function isNew(path: string, separator: Separator): boolean {
  if (!existsSync(path)) return true
  const whole = BOM + headerLine(separator)
  return statSync(path).size <= Buffer.byteLength(whole) && whole.startsWith(readFileSync(path, 'utf8'))
}

function readPlace(path: string): Place | null {
  if (!existsSync(path)) return null
  try {
    return placeShape.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    throw new CsvFileError(`${path} cannot be read: delete it and the CSV file to begin anew`)
  }
}

/** On the disk before it has its name. */
async function keepPlace(path: string, place: Place): Promise<Place> {
  const draft = await open(`${path}.new`, 'w')
  await draft.writeFile(JSON.stringify(place))
  await draft.sync()
  await draft.close()
  await rename(`${path}.new`, path)
  return place
}

async function mustBeOurs(file: FileHandle, { bytes, mark }: Place, path: string): Promise<void> {
  const { size } = await file.stat()
  if (size < bytes || (bytes > 0 && (await markOf(file, bytes)) !== mark)) throw changed(path)
}

function changed(path: string): CsvFileError {
  return new CsvFileError(
    `${path} was changed by another program: move it away together with ${path}.place.json, and begin a new one`,
  )
}

async function markOf(file: FileHandle, end: number): Promise<string> {
  if (end === 0) return ''
  return createHash('sha256')
    .update(await readEnd(file, end, MARK_BYTES))
    .digest('base64url')
}

async function readEnd(file: FileHandle, end: number, most: number): Promise<string> {
  const length = Math.min(end, most)
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, end - length)
  return buffer.toString('utf8')
}

/** Two writers would write every line twice. A lock that a killed process left is taken over. */
function lock(path: string): () => Promise<void> {
  const owner = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
  if (owner > 0 && owner !== process.pid && isAlive(owner))
    throw new CsvFileError(`process ${owner} writes this file already: end it first (else delete ${path})`)
  writeFileSync(path, String(process.pid))
  return () => rm(path, { force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
