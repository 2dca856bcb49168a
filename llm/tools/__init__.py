"""Tools for a model that cannot be shown all of the documents: it searches them and reads on before it answers.

`definitions` says what it may call, `documents` does what it calls. A server writes and parses calls by itself; for a
model that runs here `forms` takes from its own chat template how it writes a call, `constraint` keeps it to that, and
`asking` leads the rounds. Only what the model writes in its own turn is a call, never what stands in a document.
"""
