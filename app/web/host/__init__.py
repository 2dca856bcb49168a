"""The HTTP side of the page: uploads, page images, the guard around everything, and the server itself."""
