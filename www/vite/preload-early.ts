import type { HtmlTagDescriptor, Plugin } from 'vite'

/**
 * Lets the browser fetch, while it still parses the HTML, everything the first keystroke needs: the first file
 * of the wasm, the relay's address, and the chunks the entry script will ask for. All would otherwise wait until that script runs.
 *
 * `crossorigin` makes the preload's request equal to the one `fetch()` makes, or the answer isn't used.
 */
export function preloadEarly(): Plugin {
  return {
    name: 'vivim:preload-early',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(html, context) {
        const wanted = new Set<string>()
        const tags: HtmlTagDescriptor[] = [preload('/.well-known/vivim')]
        for (const output of Object.values(context.bundle ?? {})) {
          if (output.type === 'asset' && /_start\b.*\.wasm$/.test(output.fileName)) {
            tags.push(preload(`./${output.fileName}`))
          } else if (output.type === 'chunk' && output.isEntry) {
            for (const dynamic of output.dynamicImports) wanted.add(dynamic)
          }
        }
        for (const fileName of wanted) {
          const chunk = context.bundle?.[fileName]
          if (chunk?.type !== 'chunk') continue
          // Sets can grow while they are walked: what these chunks import is wanted too.
          for (const imported of chunk.imports) {
            if (context.bundle?.[imported]?.type === 'chunk' && !alreadyThere(html, imported)) wanted.add(imported)
          }
          tags.push({
            tag: 'link',
            attrs: { rel: 'modulepreload', crossorigin: '', href: `./${fileName}` },
            injectTo: 'head',
          })
        }
        return tags
      },
    },
  }
}

function preload(href: string): HtmlTagDescriptor {
  return {
    tag: 'link',
    attrs: { rel: 'preload', as: 'fetch', crossorigin: '', href },
    injectTo: 'head-prepend',
  }
}

function alreadyThere(html: string, fileName: string): boolean {
  return html.includes(fileName)
}
