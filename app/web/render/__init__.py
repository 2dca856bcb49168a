"""The page's HTML fragments: plain values in, escaped HTML out. No gradio, no service, no state.

Guarantees: every text that comes from a document, a file name or a model goes through `escape` (or `name`), so
markup in it is shown, never run. Buttons carry `data-act` and `data-arg`; `assets/theme/longleaf.js` turns a click
into an event of the panel that holds them.
"""
