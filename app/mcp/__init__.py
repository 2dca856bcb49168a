"""Longleaf as a tool of assistants, over the Model Context Protocol: `app.mcp.server`, within `app.mcp.sandbox`."""
