# shellcheck shell=bash
# Sourced by every script here. Standard output belongs to the caller's data,
# so everything said to a person goes to standard error.

IPAICTL_CACHE="${IPAICTL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ipaictl}"
export IPAICTL_CACHE

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

have() { command -v "$1" >/dev/null 2>&1; }

need_command() {
  have "$1" || die "'$1' is missing: run scripts/install${2:+ $2}"
}

# Refuses early rather than half way, and never prompts: sudo -n.
need_root_or_sudo() {
  [ "$(id -u)" -eq 0 ] && return 0
  have sudo && sudo -n true 2>/dev/null && return 0
  die "${1:-this step} needs root: run it as root, or as a user whose sudo asks for no password"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n -- "$@"; fi
}

engine_answers() {
  timeout 5 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# One builder at a time per cache: two test runs must not write one tarball.
lock_cache() {
  mkdir -p "$IPAICTL_CACHE"
  exec 9>"$IPAICTL_CACHE/$1.lock"
  flock -n 9 && return 0
  say "waiting for another run to finish ($IPAICTL_CACHE/$1.lock)"
  flock -w 600 9 || die "gave up waiting for $IPAICTL_CACHE/$1.lock after 600 s"
}
