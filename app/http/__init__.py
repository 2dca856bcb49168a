"""HTTP for programs, beside the page in one process: `app.http.api` has the app, `app.http.tokens` who may come in."""
