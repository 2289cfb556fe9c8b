#!/bin/sh
# A browser that can be driven, and a font with Chinese in it: Debian's by apt where we may, else what is there.
set -eu

browser() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" 2>/dev/null && return 0
    done
    for found in "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium-*/chrome-*/chrome; do
        [ -x "$found" ] && echo "$found" && return 0
    done
    if [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]; then
        echo "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
        return 0
    fi
    return 1
}

chinese() {
    command -v fc-list >/dev/null 2>&1 || [ "$(uname)" = Darwin ] || return 1
    [ "$(uname)" = Darwin ] || fc-list :lang=zh 2>/dev/null | grep -q .
}

if { ! browser >/dev/null || ! chinese; } && command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        as=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as="sudo"
    else
        as="no"
    fi
    if [ "$as" != no ]; then
        $as apt-get update -qq || true
        $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            chromium fonts-noto-cjk fontconfig >/dev/null || true
    fi
fi

if ! browser >/dev/null; then
    echo "The browser tests need a browser: install chromium (Debian: apt-get install chromium fonts-noto-cjk)," >&2
    echo "Google Chrome, or a Playwright build (.venv/bin/python -m playwright install chromium)." >&2
    exit 1
fi
if ! chinese; then
    echo "The browser tests need a font with Chinese in it: install fonts-noto-cjk." >&2
    exit 1
fi
echo "browser: $(browser)"
