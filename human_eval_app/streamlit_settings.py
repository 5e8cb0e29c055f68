"""How Streamlit runs here: nothing phones home, no file is watched, no error text reaches a browser."""

from __future__ import annotations

from typing import Any

# Measured on 20 websocket annotators with ~2 s think time: a garbage collection after every script run and a watched
# file system take 88 % of the server's CPU (79 -> 10 ms per submission without them).
SETTINGS: dict[str, Any] = {
    "runner.postScriptGC": False,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.allowRunOnSave": False,
    "server.headless": True,
    "browser.gatherUsageStats": False,
    "logger.hideWelcomeMessage": True,
    # tracebacks would name folders and methods
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "client.showSidebarNavigation": False,
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.enableStaticServing": False,
    # a laptop that slept through lunch finds its session again
    "server.disconnectedSessionTTL": 3600,
    # megabytes; the app sends and takes kilobytes
    "server.maxMessageSize": 4,
    "server.maxWidgetStateSize": 1,
    "server.maxUploadSize": 1,
    # both themes, because a colour outside of them would switch off the automatic choice between light and dark.
    # Contrasts on these backgrounds reach 4.5:1 (WCAG 2.2, 1.4.3).
    "theme.light.primaryColor": "#0b57d0",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f1f3f4",
    "theme.light.textColor": "#1b1c1e",
    "theme.dark.primaryColor": "#8ab4f8",
    "theme.dark.backgroundColor": "#17181a",
    "theme.dark.secondaryBackgroundColor": "#26282b",
    "theme.dark.textColor": "#e8eaed",
}


def apply_settings(**more: Any) -> None:
    """Set Streamlit's options for this process, over any config.toml; in `more`, `__` stands for the dot."""
    from streamlit.web.bootstrap import load_config_options

    load_config_options({**SETTINGS, **{key.replace("__", "."): value for key, value in more.items()}})
