// A timeline as one HTML page that needs nothing else: no script, no other file, and it prints. Every text is escaped.

import { headline, labelled } from './lines.ts'
import type { Entry } from './timeline.ts'

const STYLE = `
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
ol { list-style: none; padding: 0; }
article { border: 1px solid #bbb; border-left: 4px solid #666; border-radius: 4px; margin: 0 0 1rem; padding: .6rem 1rem; break-inside: avoid; }
article.approved { border-left-color: #1b7a3d; }
article.declined { border-left-color: #b3261e; }
h2 { font-size: 1rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 time { font-weight: normal; color: #555; }
dl { display: grid; grid-template-columns: 7rem 1fr; gap: .15rem .8rem; margin: 0; }
dt { color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
dd span { display: block; }
.note { color: #555; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } article { border-color: #999; } }
`

export function timelinePage(title: string, notes: readonly string[], entries: readonly Entry[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${notes.map((note) => `<p class="note">${escaped(note)}</p>`).join('\n')}
<ol>
${entries.map(entryItem).join('\n')}
</ol>
</body>
</html>`
}

function entryItem(entry: Entry): string {
  const { when, what, how } = headline(entry)
  const rows = labelled(entry).map(
    ({ label, lines }) =>
      `<dt>${escaped(label)}</dt><dd>${lines.map((line) => `<span>${escaped(line)}</span>`).join('')}</dd>`,
  )
  return `<li><article class="${kindOf(entry)}">
<h2><time datetime="${escaped(when)}">${escaped(when)}</time> ${escaped(what)} · ${escaped(how)}</h2>
<dl>
${rows.join('\n')}
</dl>
</article></li>`
}

function kindOf({ responseCode }: Entry): string {
  if (responseCode === undefined) return 'step'
  return responseCode === '00' ? 'approved' : 'declined'
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
