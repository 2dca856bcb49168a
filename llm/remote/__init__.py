"""Engines on other machines: any server that speaks OpenAI's protocol, named "openai:URL#MODEL".

The person asked for the connection by that name; nothing else of Longleaf opens it. `RemoteEngine` is the door, with
the methods of `llm.Engine`: documents are indexed and quotes are checked here, only the writing happens elsewhere.
"""
