"""A link for the internet to this page, through Gradio's servers. Opened only when a person asks for it.

The tunnel's program is fetched once, from Gradio's servers, and checked by Gradio against its sum.
"""

import secrets
import socket

from app.errors import BadSetting


def open_tunnel(listening: socket.socket) -> str:
    """The address under which the internet reaches the page. Raises BadSetting when there can be none."""
    from gradio.networking import setup_tunnel

    host, port = listening.getsockname()[:2]
    try:
        return setup_tunnel(host, port, secrets.token_urlsafe(32), None, None)
    except Exception as error:
        raise BadSetting(
            f"no share link can be made ({_cause(error)}): Gradio's tunnel program cannot be fetched or started; use a "
            "tunnel of your own to the port (ssh -R, cloudflared, tailscale), or --host with a certificate in front"
        ) from error


def close_tunnels() -> None:
    """Ends the links of this process."""
    from gradio.tunneling import CURRENT_TUNNELS

    for tunnel in CURRENT_TUNNELS:
        tunnel.kill()  # type: ignore[no-untyped-call]
    CURRENT_TUNNELS.clear()


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return " ".join(str(cause).split())[:200].rstrip(".") or type(cause).__name__
